"""A front without sockets: the whole stack of transports, connections and pools on a clock that the test moves."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from hsadmin.front.allow import Allow, Console
from hsadmin.front.limits import FrontLimits
from hsadmin.front.listeners import ListenSpec
from hsadmin.front.service import Front
from hsadmin.front.stock import Stock
from hsadmin.model.front import AccessRecord

HOST = b"hs.example"


class _Socket:
    family = socket.AF_INET
    waiting = False

    def __init__(self) -> None:
        self.options: dict[int, int] = {}

    def recv(self, size: int, flags: int) -> bytes:
        if self.waiting:
            return b"x"
        raise BlockingIOError

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[option] = value

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        return bytes(size)


class MemoryTransport(StringTransport):
    """One end of a connection; the test is the other one. `written` since it was last asked for."""

    def __init__(self, host: str = "198.51.100.7") -> None:
        super().__init__(peerAddress=IPv4Address("TCP", host, 40000))
        self.handle = _Socket()
        self.protocol: Any = None
        self.half_closed = self.aborted = self.gone = False

    def getHandle(self) -> Any:
        return self.handle

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.lose(ConnectionAborted())

    @property
    def written(self) -> bytes:
        data = bytes(self.value())
        self.clear()
        return data

    @property
    def ended(self) -> bool:
        return self.half_closed or self.gone

    def say(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def lose(self, why: Exception | None = None) -> None:
        """The connection is over; by the far end, when no reason is given."""
        if not self.gone:
            self.gone = True
            self.protocol.connectionLost(Failure(why or ConnectionDone()))

    def clog(self) -> None:
        """The far end has stopped reading, and the buffer is full."""
        self._feeder.pauseProducing()

    def unclog(self) -> None:
        self._feeder.resumeProducing()

    @property
    def _feeder(self) -> Any:
        return self.producer

    @property
    def paused(self) -> bool:
        return self.producerState == "paused"


class MemoryReactor(MemoryReactorClock):
    def adoptStreamPort(self, fileno: int, family: int, factory: Any) -> Any:
        self.doors = [*getattr(self, "doors", []), factory]
        return super().adoptStreamPort(fileno, socket.AF_INET, factory)


class MemoryFront:
    """A Front whose visitors and upstreams are MemoryTransports."""

    def __init__(self, limits: FrontLimits | None = None, *, trusted_proxies: tuple[Any, ...] = (), allow: Any = None, **more: Any) -> None:
        self.reactor = MemoryReactor()
        self.records: list[AccessRecord] = []
        self._dialled = 0
        spec = ListenSpec(socket.socket(), False, "public", "memory")
        self.front = Front(
            self.reactor,
            listeners=[spec],
            allow=allow or Allow(hosts=frozenset((HOST,)), root="not_found", console=Console(open=True), own_origin=b"http://hs.example"),
            certificates=None,
            headscale=lambda: ("127.0.0.1", 9),
            console="/nowhere/console.sock",
            public_url="https://hs.example",
            limits=limits or FrontLimits(),
            trusted_proxies=trusted_proxies,
            ready=lambda: (True, "ready"),
            access=self.records.append,
            now=lambda: 1_000_000.0,
            carrier=Stock,
            **more,
        )
        self.front.startService()
        self.door = self.reactor.doors[0]

    def visit(self, host: str = "198.51.100.7") -> MemoryTransport:
        transport = self.knock(host)
        assert transport is not None, "refused at the door"
        return transport

    def knock(self, host: str = "198.51.100.7") -> MemoryTransport | None:
        """None when refused at accept."""
        transport = MemoryTransport(host)
        transport.protocol = self.door.buildProtocol(transport.getPeer())
        if transport.protocol is None:
            return None
        transport.protocol.makeConnection(transport)
        return transport

    def dials(self) -> list[Any]:
        """Factories of connects under way that nobody has looked at."""
        clients = [client[2] for client in self.reactor.tcpClients] + [client[1] for client in self.reactor.unixClients]
        fresh, self._dialled = clients[self._dialled :], len(clients)
        return fresh

    def upstream(self) -> MemoryTransport:
        """The one connect under way succeeds."""
        (dial,) = self.dials()
        return self.accept(dial)

    def accept(self, dial: Any) -> MemoryTransport:
        transport = MemoryTransport("127.0.0.1")
        transport.protocol = dial.buildProtocol(transport.getPeer())
        if transport.protocol is not None:
            transport.protocol.makeConnection(transport)
        return transport

    def refuse(self) -> None:
        """The one connect under way is refused."""
        (dial,) = self.dials()
        dial.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def pass_time(self, seconds: float, step: float = 0.25) -> None:
        for _ in range(round(seconds / step)):
            self.reactor.advance(step)

    @property
    def counters(self) -> dict[str, int]:
        return dict(self.front.counters())


def request(path: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: hs.example", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def upgrade(path: str = "/ts2021", protocol: str = "tailscale-control-protocol", *fields: str, method: str = "POST") -> bytes:
    return request(path, "Connection: upgrade", f"Upgrade: {protocol}", *fields, method=method)


def switching(protocol: str = "tailscale-control-protocol", *fields: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 101 Switching Protocols", "Connection: upgrade", f"Upgrade: {protocol}", *fields, "", ""]).encode()


def answer(body: bytes = b"", *fields: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]).encode() + body


__all__ = ["HOST", "MemoryFront", "MemoryTransport", "answer", "request", "switching", "upgrade"]
