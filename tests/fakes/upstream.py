"""A stand-in for headscale that knows nothing of hsadmin: a plain HTTP server on TCP or a Unix socket that can be told to misbehave.

Good manners: GET /key and /health answer, POST /ts2021 and GET /derp upgrade and then echo. `scripts` replaces what happens for one path: a callable
that gets the connection and the head, and writes what it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

REPLY = b"\x02\x00\x30" + bytes(range(48))  # as long as headscale's handshake reply: 51 bytes, in the segment of the 101
SERVER_KEY = b"\x01\x00\x00\x00\x28" + bytes(range(40))
Script = Callable[["UpstreamConnection", bytes], None]


class UpstreamConnection(Protocol):
    """`heads` asked for on this connection; `seen` all bytes of it."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self._upstream = upstream
        self._buffer = b""
        self._skip = 0
        self.echoing = False
        self.silent = False
        self.heads: list[bytes] = []
        self.seen = bytearray()
        self.lost = False

    @property
    def wire(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        self._upstream.connections.append(self)
        if getattr(self.wire, "setTcpNoDelay", None) and not self._upstream.is_unix:
            self.wire.setTcpNoDelay(True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True

    def dataReceived(self, data: bytes) -> None:
        if self._upstream.remember:
            self.seen += data
        if self.echoing:
            self.wire.write(data)
            return
        self._buffer += data
        while not (self.silent or self.echoing):
            if self._skip:
                skipped = min(self._skip, len(self._buffer))
                self._skip -= skipped
                self._buffer = self._buffer[skipped:]
                if self._skip:
                    return
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._buffer = rest
            self.heads.append(head)
            for line in head.split(b"\r\n"):
                if line.lower().startswith(b"content-length:"):
                    self._skip = int(line.partition(b":")[2])
            self._upstream.answer(self, head)

    def say(self, body: bytes = b"", *, status: str = "200 OK") -> None:
        self.wire.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def switch(self, protocol: str, first: bytes) -> None:
        """101 and the first bytes of the new protocol in one segment; then echo."""
        self.echoing = True
        head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n".encode()
        buffered, self._buffer = self._buffer, b""
        self.wire.write(head + first + buffered)


class FakeUpstream(Factory):
    noisy = False

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.is_unix = False
        self.remember = True
        self.connections: list[UpstreamConnection] = []
        self.scripts: dict[bytes, Script] = {}
        self._port: Any = None

    def buildProtocol(self, addr: object) -> UpstreamConnection:
        return UpstreamConnection(self)

    def listen(self, port: int = 0) -> int:
        self._port = self._reactor.listenTCP(port, self, interface="127.0.0.1", backlog=4096)
        return int(self._port.getHost().port)

    def listen_unix(self, path: str) -> None:
        self.is_unix = True
        self._port = self._reactor.listenUNIX(path, self)

    async def stop(self, *, abort: bool = True) -> None:
        """As a process does that is killed: the listener and every connection are gone."""
        if self._port is not None:
            await self._port.stopListening()
            self._port = None
        for connection in self.connections:
            if abort and not connection.lost:
                connection.wire.abortConnection()

    @property
    def heads(self) -> list[bytes]:
        return [head for connection in self.connections for head in connection.heads]

    @property
    def seen(self) -> bytes:
        return b"".join(bytes(connection.seen) for connection in self.connections)

    def answer(self, connection: UpstreamConnection, head: bytes) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
        path = target.partition(b"?")[0]
        script = self.scripts.get(path)
        if script is not None:
            script(connection, head)
        elif path == b"/ts2021" and method == b"POST":
            connection.switch("tailscale-control-protocol", REPLY)
        elif path == b"/derp":
            connection.switch("DERP", SERVER_KEY)
        elif path == b"/key":
            connection.say(b'{"publicKey":"mkey:0"}')
        elif path == b"/health":
            connection.say(b'{"status":"pass"}')
        else:
            connection.say(b"not found", status="404 Not Found")


# — misbehaviour —


def refuses(connection: UpstreamConnection, head: bytes) -> None:
    """Declines an upgrade, and would serve whatever comes next on the connection, as headscale does."""
    connection.say(b"bad handshake", status="400 Bad Request")


def dies_before_first_byte(connection: UpstreamConnection, head: bytes) -> None:
    connection.wire.abortConnection()


def half_answer(connection: UpstreamConnection, head: bytes) -> None:
    connection.wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    connection.wire.loseConnection()


def says_nothing(connection: UpstreamConnection, head: bytes) -> None:
    """Reads, and never answers."""
    connection.silent = True


def answers_early_and_twice(connection: UpstreamConnection, head: bytes) -> None:
    """Answers a POST on its head alone, and takes its body for a second request that it answers as well."""
    connection.say(b"early")
    connection._skip = 0
    connection.silent = True
    connection.dataReceived = lambda data: connection.say(b"a stranger's secret")  # type: ignore[method-assign]


def answers_twice(connection: UpstreamConnection, head: bytes) -> None:
    connection.say(b"first")
    connection.say(b"a stranger's secret")
