"""The public port: what every byte on it means, who gets it, and what comes back.

The pure half has no I/O, no Twisted and no clock; it is bytes and values in, bytes and values out:

    syntax    the grammar of a head, every rule by which one is refused with its reason, and where in the bytes the first fault lies
    head      bytes -> RequestHead, ResponseHead, or Refused
    body      bytes of a framed body -> payload; payload -> our framing
    routes    the table: which paths headscale, the console or the front itself answer, and what may travel on each
    addresses who the client is, behind proxies that are trusted
    allow     RequestHead + client address -> Decision
    answers   what the front says itself
    relay     the heads that go upstream and downstream, written anew; cookies

The other half moves the bytes:

    transports   the seam to sockets and TLS
    sockets      behind it: listeners and connects of our own, and the choice between these and the stock ones
    wires        a plain socket as a transport;  tlswire  the same under TLS
    hello        the first bytes of a TLS client -> what chooses its certificate (pure)
    loop         all these sockets as one reader of the reactor;  hosting  a reactor that waits there instead
    stock        behind it, for platforms without epoll: Twisted's own transports
    memo         heads met before, and what follows from them
    connection   one state machine per visitor, with its table
    exchange     one request of his, from head to last byte
    tunnel       an upgraded connection
    upstream     connections to headscale and to the console, and their pool
    park, limits what waits, and what is refused
    ledger       counters, open streams, access records
    house        what the visitors of all doors share, and who is in
    doors        the rules of the redirect and of the local door
    listeners    a line of the configuration -> a bound socket
    service      the whole: start, stop, park, close
"""
