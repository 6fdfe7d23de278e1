"""TLS by OpenSSL bound to the socket: the standard library's `ssl`, its public methods only.

    GREETING   the ClientHello is looked at (MSG_PEEK), so that it can choose the certificate; OpenSSL reads it again
    SHAKING    OpenSSL's handshake
    OPEN
    ENDING     close_notify, or the alert of a failed handshake, has left; TLS is over, and what still comes is read plain and dropped

While a hello is incomplete the socket must not be readable, or the loop would be told of the same bytes again and again: SO_RCVLOWAT says how many
there must be. A Unix socket does not heed that, so it is watched for changes only, one of which is the change of what is watched for; an end in the
middle of a hello is then found by the deadline.

Records. OpenSSL gives at most one for a read. Many small ones in a row are read into the shared buffer until there are no more, to be written on in
one piece; but the last of those reads costs an exception, more than a record does. So it is tried after a full record, and after success again for
some events, else once in a while. With room for a whole record at every read, nothing ever waits inside OpenSSL.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

from hsadmin.front.hello import MAX_HELLO, Hello, Refused, read_hello
from hsadmin.front.loop import BUFFER, EDGE, READABLE, WRITABLE
from hsadmin.front.transports import Bytes, Guest
from hsadmin.front.wires import Ground, Wire
from hsadmin.interfaces import ICertificates

OPEN, GREETING, SHAKING, ENDING = range(4)
RECORD = 16 * 1024  # the most that one record holds
TRIES = 8  # events for which draining is tried after it was of use
PATIENCE = -16  # events without a try after it was of none
DECODE_ERROR = b"\x15\x03\x01\x00\x02\x02\x32"  # a fatal alert

_WantRead, _WantWrite = ssl.SSLWantReadError, ssl.SSLWantWriteError
assert MAX_HELLO <= BUFFER


class TLSWire(Wire):
    """A Transport under TLS, the server's side. `plain_answer` is what a client gets to read that speaks HTTP without TLS."""

    __slots__ = ("_certificates", "_plain_answer", "_seen", "_stage", "_tries")

    _sock: ssl.SSLSocket  # from SHAKING until ENDING

    def __init__(self, ground: Ground, sock: socket.socket, guest: Guest, certificates: ICertificates, plain_answer: bytes) -> None:
        Wire.__init__(self, ground, sock, guest)
        self._certificates: ICertificates | None = certificates
        self._plain_answer = plain_answer
        self._stage = GREETING
        self._seen = 0  # bytes of the hello
        self._tries = 0

    def begin(self) -> None:
        self._ground.loop.add(self._sock.fileno(), self, self._asked)

    # — before —

    def _greet(self) -> None:
        sock, loop = self._sock, self._ground.loop
        try:
            count = sock.recv_into(loop.buffer, MAX_HELLO, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._over("broken")
            return
        if not count or (count <= self._seen and sock.family != socket.AF_UNIX):
            self._over("ended")
            return
        first = not self._seen
        self._seen = count
        try:
            hello = read_hello(bytes(loop.view[:count]))
        except Refused:
            self._turn_away(self._plain_answer if 0x41 <= loop.buffer[0] <= 0x5A else DECODE_ERROR)
            return
        if isinstance(hello, int):
            self._wait_for(hello)
        else:
            if not first:
                self._wait_for(1)
            self._begin_tls(hello)

    def _wait_for(self, size: int) -> None:
        if self._sock.family == socket.AF_UNIX:
            self._ask(READABLE | EDGE if size > 1 else READABLE)
        else:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    def _begin_tls(self, hello: Hello) -> None:
        assert self._certificates is not None
        context = self._certificates.ssl_context(hello.server_name, hello.alpn)
        self._certificates = None
        try:
            self._sock = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False)
        except (OSError, ValueError):
            self._over("broken")
            return
        self._stage = SHAKING
        self._shake()

    def _shake(self) -> None:
        try:
            self._sock.do_handshake()
        except _WantRead:
            self._ask(READABLE)
        except _WantWrite:
            self._ask(WRITABLE)
        except ssl.SSLEOFError:
            self._over("broken")
        except ssl.SSLError:
            self._turn_away(b"")  # OpenSSL has sent an alert
        except (OSError, ValueError):
            self._over("broken")
        else:
            self._stage = OPEN
            self._ask(READABLE)
            self._handler.ready()

    def _turn_away(self, said: bytes) -> None:
        self._leave_tls()
        with contextlib.suppress(OSError):
            self._sock.send(said)
        self.close()
        self._word = "tls"

    # — open —

    def _read(self) -> None:
        if self._stage:
            self._read_otherwise()
            return
        sock, view, tries = self._sock, self._ground.loop.view, self._tries
        total = count = 0
        end = ""
        try:
            total = count = sock.recv_into(view, RECORD)
            if count == RECORD or tries >= 0:
                while count and total <= BUFFER - RECORD:
                    count = sock.recv_into(view[total:], RECORD)
                    total += count
                self._tries = TRIES
            else:
                self._tries = tries + 1
            if not count:
                end = "ended"
        except _WantRead:
            self._tries = TRIES if total > count else tries - 1 if tries > 0 else PATIENCE
        except _WantWrite:
            self._ask(self._asked | WRITABLE)  # OpenSSL has something to say first
        except ssl.SSLEOFError:
            end = "broken"
        except ssl.SSLError:
            end = "tls"
        except OSError:
            end = "broken"
        if total:
            self._handler.received(view[:total])
        if end:
            self._over(end)

    def write(self, data: Bytes) -> None:
        size = len(data)
        if self._mute or not size or self._stage:
            return
        if self._out:
            self._out += data
            return
        send = self._sock.send
        sent = 0
        try:
            sent = send(data)
            while sent < size:
                sent += send(memoryview(data)[sent:])
        except (_WantWrite, _WantRead):
            self._keep(memoryview(data)[sent:])
        except OSError:
            self._write_failed()

    def _flush(self) -> None:
        if self._stage:
            self._flush_otherwise()
            return
        send, out = self._sock.send, self._out
        try:
            while out:
                del out[: send(out)]
        except (_WantWrite, _WantRead):
            return
        except OSError:
            self._write_failed()
            return
        self._flushed()

    def _read_otherwise(self) -> None:
        if self._stage == GREETING:
            self._greet()
        elif self._stage == SHAKING:
            self._shake()
        else:
            Wire._read(self)

    def _flush_otherwise(self) -> None:
        if self._stage == SHAKING:
            self._shake()
        else:
            Wire._flush(self)

    # — after —

    def quiet(self) -> bool:
        return False  # nobody can tell from outside

    def _say_end(self) -> None:
        if self._stage == OPEN:
            try:
                self._sock.unwrap()
            except _WantWrite:
                self._ask(self._asked | WRITABLE)
                return
            except (OSError, ValueError):
                pass  # ours is said; theirs may come, or data before it
        self._leave_tls()
        Wire._say_end(self)

    def _leave_tls(self) -> None:
        sock = self._sock
        if self._stage in (OPEN, SHAKING):
            self._sock = socket.socket(sock.family, sock.type, sock.proto, sock.detach())  # type: ignore[assignment]  # see the declaration
        self._stage = ENDING

    def _over(self, word: str) -> None:
        if self._stage == OPEN and word == "ended" and not self._out:
            with contextlib.suppress(OSError, ValueError):
                self._sock.unwrap()
        Wire._over(self, word)
