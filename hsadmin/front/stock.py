"""Connections on Twisted's stock transports (TCP, Unix, TLS by memory BIO): for platforms without epoll, at about three times the cost of `sockets`.

Traps of the stock transports that are dealt with here and nowhere else: a registered producer keeps TLS loseConnection from starting, and one
that was paused keeps the connection open for ever after the peer's close_notify; abortConnection after the loss raises; Nagle delays a small
head behind a small body by 40 ms; getHandle() under TLS is not the socket.
"""

from __future__ import annotations

import socket
from typing import Any

from OpenSSL import SSL
from twisted.internet import protocol
from twisted.internet.address import IPv4Address as TCP4
from twisted.internet.address import IPv6Address as TCP6
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hsadmin.front.addresses import parse_address
from hsadmin.front.transports import (
    LINGER_TURNS,
    Address,
    Bytes,
    Caller,
    Entrance,
    Handler,
    acknowledged,
    find_dead_peers,
    is_quiet,
)
from hsadmin.interfaces import ICertificates


class Stock:
    """The carrier; see transports.Carrier."""

    def __init__(self, reactor: Any, *, linger: float) -> None:
        self._reactor = reactor
        self._linger = linger

    def listen(self, sock: socket.socket, entrance: Entrance, certificates: ICertificates | None) -> StockPort:
        factory: Any = _Door(self._reactor, entrance, linger=self._linger, tls=certificates is not None)
        if certificates is not None:
            factory = TLSOnTop(certificates, factory, self._reactor)
        port = self._reactor.adoptStreamPort(sock.fileno(), sock.family, factory)
        sock.close()  # the reactor has a descriptor of its own
        return StockPort(port)

    def connect(self, address: Address, caller: Caller, *, timeout: float) -> _Dialling:
        dialling = _Dialling(self._reactor, caller, linger=self._linger)
        if isinstance(address, str):
            self._reactor.connectUNIX(address, dialling, timeout=timeout)
        else:
            self._reactor.connectTCP(*address, dialling, timeout=timeout)
        return dialling


class StockPort:
    def __init__(self, port: Any) -> None:
        self._port = port

    def stop(self) -> Deferred[None]:
        return maybeDeferred(self._port.stopListening)


class _Door(Factory):
    """Asks the entrance about every peer."""

    noisy = False

    def __init__(self, clock: IReactorTime, entrance: Entrance, *, linger: float, tls: bool) -> None:
        self._clock = clock
        self._entrance = entrance
        self._linger = linger
        self._tls = tls

    def buildProtocol(self, addr: IAddress | None) -> Wire | None:
        guest = self._entrance.admit(parse_address(addr.host) if isinstance(addr, TCP4 | TCP6) else None)
        if guest is None:
            return None
        guest.wire = wire = Wire(self._clock, guest, linger=self._linger, tls=self._tls)
        return wire


@implementer(IProtocolFactory)
class _Dialling:
    """One attempt to connect."""

    __slots__ = ("_caller", "_clock", "_connector", "_linger")

    def __init__(self, clock: IReactorTime, caller: Caller, *, linger: float) -> None:
        self._clock = clock
        self._caller: Caller | None = caller
        self._linger = linger
        self._connector: Any = None

    def cancel(self) -> None:
        self._caller = None
        if self._connector is not None:
            self._connector.disconnect()

    def doStart(self) -> None: ...

    def doStop(self) -> None: ...

    def startedConnecting(self, connector: Any) -> None:
        self._connector = connector

    def buildProtocol(self, addr: object) -> Wire | None:
        caller, self._caller, self._connector = self._caller, None, None
        guest = None if caller is None else caller.reached()
        if guest is None:
            return None
        guest.wire = wire = Wire(self._clock, guest, linger=self._linger)
        return wire

    def clientConnectionFailed(self, connector: object, reason: Failure) -> None:
        caller, self._caller, self._connector = self._caller, None, None
        if caller is not None:
            caller.refused()

    def clientConnectionLost(self, connector: object, reason: Failure) -> None: ...


def _nothing(data: Bytes) -> None:
    """Takes what comes after our end."""


@implementer(IHandshakeListener, IPushProducer)
class Wire(protocol.Protocol):
    """A Transport on one of Twisted's stock transports; it is its own producer, so that one object stands between transport and handler."""

    is_blocked = False
    _paused = False
    _closing = False
    _gone = False
    _lingering: IDelayedCall | None = None
    _acked = 0
    _turns = 0

    def __init__(self, clock: IReactorTime, handler: Handler, *, linger: float, tls: bool = False) -> None:
        self._clock = clock
        self._linger = linger
        self._tls = tls
        self.hand_over(handler)

    # — told by Twisted —

    def connectionMade(self) -> None:
        if self._socket().family != socket.AF_UNIX:
            self._transport.setTcpNoDelay(True)
        self._transport.registerProducer(self, True)
        if not self._tls:
            self._handler.ready()

    def handshakeCompleted(self) -> None:
        if not self._closing:
            self._handler.ready()

    def pauseProducing(self) -> None:
        if not self.is_blocked:
            self.is_blocked = True
            self._handler.blocked()

    def resumeProducing(self) -> None:
        if self.is_blocked:
            self.is_blocked = False
            if self._closing:
                self._end()
            elif self._tls and self._transport.transport.disconnecting:
                self._transport.unregisterProducer()  # the peer's close_notify came while we were blocked: see the traps
            else:
                self._handler.drained()

    def stopProducing(self) -> None:
        """The transport is going away; connectionLost follows."""

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._gone = self._closing = True
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        handler = self._handler
        del self._handler
        self.dataReceived = _nothing  # type: ignore[method-assign]  # the bound method of the handler would keep it alive
        handler.lost(_word(reason))

    # — asked by handlers —

    def write(self, data: Bytes) -> None:
        if not self._closing:
            self._transport.write(bytes(data))

    def pause(self) -> None:
        if not (self._paused or self._closing):
            self._paused = True
            self._transport.pauseProducing()

    def resume(self) -> None:
        if self._paused and not self._gone:
            self._paused = False
            self._transport.resumeProducing()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self.dataReceived = _nothing  # type: ignore[method-assign]  # nobody listens any more
        self._acked = acknowledged(self._socket())
        self._lingering = self._clock.callLater(self._linger, self._lingered)
        self.resume()
        if not self.is_blocked:
            self._end()

    def abort(self) -> None:
        if not self._gone:
            self._closing = True
            self.dataReceived = _nothing  # type: ignore[method-assign]
            self._transport.abortConnection()

    def hand_over(self, handler: Handler) -> None:
        self._handler = handler
        if not self._closing:
            self.dataReceived = handler.received  # type: ignore[method-assign]  # one call less for every read of a tunnel

    def watch_for_death(self) -> None:
        if not self._gone:
            find_dead_peers(self._socket())

    def quiet(self) -> bool:
        return not self._closing and is_quiet(self._socket())

    # — how it ends —

    def _end(self) -> None:
        """Everything is with the kernel, or will be without anybody's help: say the end. Reading goes on until the peer says it too."""
        self._transport.unregisterProducer()
        if self._tls:
            self._transport.loseConnection()
        else:
            self._transport.loseWriteConnection()

    def _lingered(self) -> None:
        self._lingering = None
        acked = acknowledged(self._socket())
        self._turns += 1
        if acked > self._acked and self._turns < LINGER_TURNS:
            self._acked = acked
            self._lingering = self._clock.callLater(self._linger, self._lingered)
        else:
            self.abort()

    @property
    def _transport(self) -> Any:
        return self.transport

    def _socket(self) -> socket.socket:
        carrier: Any = self._transport.transport if self._tls else self._transport
        handle: socket.socket = carrier.getHandle()
        return handle


def _word(reason: Failure) -> str:
    if reason.check(ConnectionDone):
        return "ended"
    if reason.check(ConnectionAborted):
        return "aborted"
    if reason.check(SSL.Error):
        return "tls"
    return "broken"


@implementer(IOpenSSLServerConnectionCreator)
class _CurrentCertificate:
    """Every new connection begins with the context of that moment; open ones keep theirs."""

    def __init__(self, certificates: ICertificates) -> None:
        self._certificates = certificates

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._certificates.context(), None)


@implementer(IProtocolNegotiationFactory)
class TLSOnTop(TLSMemoryBIOFactory):
    """Puts TLS under the wires of `factory`. Each write becomes records at once: the front writes in as large pieces as it reads."""

    protocol = TLSMemoryBIOProtocol

    def __init__(self, certificates: ICertificates, factory: Factory, clock: IReactorTime) -> None:
        super().__init__(_CurrentCertificate(certificates), False, factory, clock)

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]  # IProtocolFactory allows None
        inside = self.wrappedFactory.buildProtocol(addr)
        return None if inside is None else TLSMemoryBIOProtocol(self, inside)

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]
