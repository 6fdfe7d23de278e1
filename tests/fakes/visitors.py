"""Visitors of a front, polite and hostile, on real sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer


class Client(Protocol):
    """Collects what it hears, or counts it only (`keep` False); `until` waits for it."""

    def __init__(self) -> None:
        self.keep = True
        self._conditions: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self.heard = bytearray()
        self.count = 0
        self.lost: Failure | None = None
        self.made: Deferred[Client] = Deferred()

    @property
    def wire(self) -> Any:
        return self.transport

    def connectionMade(self) -> None:
        if hasattr(self.wire, "setTcpNoDelay"):
            self.wire.setTcpNoDelay(True)
        self.made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        self.count += len(data)
        if self.keep:
            self.heard += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason
        self._look()

    def _look(self) -> None:
        for one in list(self._conditions):
            if one[0]():
                self._conditions.remove(one)
                one[1].callback(None)

    def say(self, data: bytes) -> None:
        self.wire.write(data)

    async def until(self, condition: Callable[[], bool]) -> None:
        if not condition():
            done: Deferred[None] = Deferred()
            self._conditions.append((condition, done))
            await done

    async def hears(self, what: bytes) -> bytes:
        """Waits until `what` came or the connection ended; all that was heard, which is then forgotten."""
        await self.until(lambda: what in self.heard or self.lost is not None)
        heard = bytes(self.heard)
        self.heard.clear()
        assert what in heard, (what, heard, self.lost)
        return heard

    async def hears_count(self, count: int) -> None:
        await self.until(lambda: self.count >= count or self.lost is not None)
        assert self.count >= count, (self.count, count, self.lost)

    async def ends(self) -> bytes:
        await self.until(lambda: self.lost is not None)
        return bytes(self.heard)


@implementer(IOpenSSLClientConnectionCreator)
class _Trusting:
    """Looks at no certificate, offers no ALPN: as Tailscale's control client does."""

    def __init__(self) -> None:
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        return SSL.Connection(self._context, None)


_TRUSTING = _Trusting()


async def visit(reactor: Any, port: int, *, tls: bool = False, source: str = "127.0.0.1") -> Client:
    """A connection from `source`, an address of 127/8, so that there can be several sources."""
    client = Client()
    factory: Any = ClientFactory.forProtocol(lambda: client)
    factory.noisy = False
    factory.clientConnectionFailed = lambda connector, reason: client.made.errback(reason)
    if tls:
        factory = TLSMemoryBIOFactory(_TRUSTING, True, factory, reactor)
    reactor.connectTCP("127.0.0.1", port, factory, bindAddress=(source, 0))
    return await client.made


async def eventually(reactor: Any, condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Waits for something that no event of this side tells."""
    ends = reactor.seconds() + seconds
    while not condition():
        assert reactor.seconds() < ends, "it never came to that"
        await deferLater(reactor, 0.01)


async def byte_by_byte(reactor: Any, client: Client, data: bytes) -> None:
    """Each byte in a segment of its own."""
    for at in range(len(data)):
        client.say(data[at : at + 1])
        await deferLater(reactor, 0)


class SlowLoris:
    """Opens `count` connections from one source and gives each of them a byte of a head now and then."""

    def __init__(self, reactor: Any, port: int, *, source: str, count: int, tls: bool = False) -> None:
        self._reactor = reactor
        self._port = port
        self._source = source
        self._count = count
        self._tls = tls
        self.clients: list[Client] = []

    async def start(self) -> None:
        for _ in range(self._count):
            client = await visit(self._reactor, self._port, source=self._source, tls=self._tls)
            self.clients.append(client)
            client.say(b"GET /key HTTP/1.1\r\nX: ")

    def drip(self) -> None:
        for client in self.clients:
            if client.lost is None:
                client.say(b"x")

    def stop(self) -> None:
        for client in self.clients:
            client.wire.abortConnection()


class ConnectFlood:
    """Bare sockets from one source, as many as asked for, never a byte on them."""

    def __init__(self, port: int, *, source: str, count: int) -> None:
        self._sockets: list[socket.socket] = []
        for _ in range(count):
            sock = socket.socket()
            sock.setblocking(False)
            sock.bind((source, 0))
            sock.connect_ex(("127.0.0.1", port))
            self._sockets.append(sock)

    def closed(self) -> int:
        """How many of them the front has closed."""
        return sum(map(_is_closed, self._sockets))

    def stop(self) -> None:
        for sock in self._sockets:
            sock.close()


def _is_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
