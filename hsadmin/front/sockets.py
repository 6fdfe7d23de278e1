"""The carrier on sockets of our own: listeners, connects, and the choice of a carrier.

A listener that finds no descriptor left stops taking connections for a while, since it would be told of the same waiting connection again and again;
those that are open go on, and each that closes makes room.
"""

from __future__ import annotations

import errno
import select
import socket
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from hsadmin.front.addresses import parse_address
from hsadmin.front.answers import NOT_TLS
from hsadmin.front.limits import NEVER
from hsadmin.front.loop import EXCLUSIVE, READABLE, WRITABLE
from hsadmin.front.stock import Stock
from hsadmin.front.tlswire import TLSWire
from hsadmin.front.transports import Address, Caller, Carrier, Entrance, find_dead_peers
from hsadmin.front.wires import Ground, Wire
from hsadmin.interfaces import ICertificates

log = Logger()

ACCEPTS = 64  # in one turn: those who are in must not wait for a crowd at the door
PAUSE = 0.5  # seconds without accepting when no descriptor is left
CROWDED = 0.02  # seconds until a Unix socket whose backlog is full is tried again
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class CarrierMaker(Protocol):
    def __call__(self, reactor: Any, *, linger: float) -> Carrier: ...


def best(reactor: Any, *, linger: float) -> Carrier:
    """Our own where the platform has epoll, else the stock one."""
    if hasattr(select, "epoll"):
        return Sockets(reactor, linger=linger)
    log.info("This platform has no epoll: connections go by Twisted's own transports, at about three times the cost.")
    return Stock(reactor, linger=linger)


class Sockets:
    """The carrier; see transports.Carrier."""

    def __init__(self, reactor: Any, *, linger: float) -> None:
        self._ground = Ground(reactor, linger=linger)

    def listen(self, sock: socket.socket, entrance: Entrance, certificates: ICertificates | None) -> Listener:
        return Listener(self._ground, sock, entrance, certificates)

    def connect(self, address: Address, caller: Caller, *, timeout: float) -> Connect:
        return Connect(self._ground, address, caller, timeout)


class Listener:
    """Takes connections and makes wires of those that the entrance admits."""

    def __init__(self, ground: Ground, sock: socket.socket, entrance: Entrance, certificates: ICertificates | None) -> None:
        self._ground = ground
        self._sock = sock
        self._entrance = entrance
        self._certificates = certificates
        self._plain_answer = NOT_TLS.as_bytes()
        self._again: IDelayedCall | None = None
        self._exhausted = False
        sock.setblocking(False)
        self._is_unix = sock.family == socket.AF_UNIX
        if not self._is_unix:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited, as the rest
            find_dead_peers(sock)
        self._listen()

    def stop(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        else:
            self._ground.loop.drop(self._sock.fileno())
        self._sock.close()

    def event(self, events: int) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, name = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as fault:
                if fault.errno in _EXHAUSTED:
                    self._pause(fault)
                    return
                continue  # this one has left again
            if self._exhausted:
                self._exhausted = False
                log.info("There are descriptors again: connections are taken.")
            self._take(sock, name)

    def crashed(self) -> None:
        """The next event is about another connection."""

    def _take(self, sock: socket.socket, name: Any) -> None:
        guest = self._entrance.admit(None if self._is_unix else parse_address(name[0]))
        if guest is None:
            sock.close()
            return
        sock.setblocking(False)
        wire: Wire
        if self._certificates is None:
            wire = Wire(self._ground, sock, guest)
        else:
            wire = TLSWire(self._ground, sock, guest, self._certificates, self._plain_answer)
        guest.wire = wire
        wire.begin()

    def _listen(self) -> None:
        self._again = None
        self._ground.loop.add(self._sock.fileno(), self, READABLE | EXCLUSIVE)

    def _pause(self, fault: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            log.warn("No new connection can be taken ({why}); those that are open go on.", why=fault.strerror)
        self._ground.loop.drop(self._sock.fileno())
        self._again = self._ground.clock.callLater(PAUSE, self._listen)


class Connect:
    """One attempt to connect; what it comes to is told once."""

    __slots__ = ("_address", "_again", "_caller", "_ground", "_sock", "deadline")

    def __init__(self, ground: Ground, address: Address, caller: Caller, timeout: float) -> None:
        self._ground = ground
        self._address = address
        self._caller: Caller | None = caller
        self._again: IDelayedCall | None = None
        self._sock: socket.socket | None = None
        self.deadline = ground.clock.seconds() + timeout
        self._try()

    def cancel(self) -> None:
        self._caller = None
        self._clear()

    def event(self, events: int) -> None:
        sock = self._sock
        if sock is None:
            return
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._fail()
            return
        self._ground.loop.drop(sock.fileno())
        self._ground.deadlines.forget(self)
        self._sock = None
        self._succeed(sock)

    def crashed(self) -> None:
        self.cancel()

    def overdue(self) -> None:
        self.deadline = NEVER
        self._fail()

    def _try(self) -> None:
        self._again = None
        address = self._address
        try:
            sock = socket.socket(_family(address), socket.SOCK_STREAM)
        except OSError:
            self._ground.loop.soon(self._fail)
            return
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fault = sock.connect_ex(address)
        if not fault:
            self._succeed(sock)
        elif fault == errno.EINPROGRESS:
            self._sock = sock
            self._ground.loop.add(sock.fileno(), self, WRITABLE)
            self._ground.deadlines.watch(self)
        elif fault == errno.EAGAIN and self._ground.clock.seconds() < self.deadline:
            sock.close()
            self._again = self._ground.clock.callLater(CROWDED, self._try)
        else:
            sock.close()
            self._ground.loop.soon(self._fail)

    def _succeed(self, sock: socket.socket) -> None:
        caller, self._caller = self._caller, None
        guest = None if caller is None else caller.reached()
        if guest is None:
            sock.close()
            return
        guest.wire = wire = Wire(self._ground, sock, guest)
        wire.begin()

    def _fail(self) -> None:
        caller, self._caller = self._caller, None
        self._clear()
        if caller is not None:
            caller.refused()

    def _clear(self) -> None:
        sock, self._sock = self._sock, None
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if sock is not None:
            self._ground.loop.drop(sock.fileno())
            self._ground.deadlines.forget(self)
            sock.close()


def _family(address: Address) -> socket.AddressFamily:
    if isinstance(address, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
