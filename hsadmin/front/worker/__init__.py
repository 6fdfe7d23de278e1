"""One front worker: a process that runs the front and nothing else, on sockets and by orders of the main process.

    __main__   what the process is before it runs: `python -m hsadmin.front.worker`
    life       the worker itself: orders in, a Front, tales out
    journal    the ledger that remembers what has not been reported yet
    prison     what the process gives up for good

It holds no secret but the certificate's key: it never opens the database, the vault or admin.sock.
"""
