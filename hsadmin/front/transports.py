"""The seam under the protocol: what a visitor's or an upstream's connection looks like to the code that speaks HTTP on it.

Protocol code knows `Transport` and `Handler`, never a Twisted transport. `Wire` is the one implementation for now, on Twisted's stock
transports (TCP, Unix, TLS by memory BIO); another one can take its place without a change above.

Theory of a close. `close()` flushes, says the end (FIN, or close_notify under TLS), then reads and drops until the peer says it too: closing a
socket with unread bytes makes the kernel send RST, which takes from the peer what it has not read yet. A peer that never answers would stay for
ever, so after `linger` seconds without any byte acknowledged, and after LINGER_TURNS such periods in any case, the connection is aborted.

Traps of the stock transports that are dealt with here and nowhere else: a registered producer keeps TLS loseConnection from starting, and one
that was paused keeps the connection open for ever after the peer's close_notify; abortConnection after the loss raises; Nagle delays a small
head behind a small body by 40 ms; getHandle() under TLS is not the socket.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol

from OpenSSL import SSL
from twisted.internet import protocol
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    IProtocolNegotiationFactory,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hsadmin.interfaces import ICertificates

LINGER_TURNS = 24
KEEPALIVE_IDLE = 60  # seconds of silence before the kernel asks a tunnel's peer whether it is there
KEEPALIVE_INTERVAL = 10
KEEPALIVE_PROBES = 3
USER_TIMEOUT = 90_000  # ms that sent bytes may stay unacknowledged
_BYTES_ACKED = slice(120, 128)  # of struct tcp_info (Linux 4.1 and later)


class Handler(Protocol):
    """Whoever speaks on a transport now."""

    def ready(self) -> None:
        """Connected, and the TLS handshake, if any, is done. Once, before any byte."""

    def received(self, data: bytes) -> None:
        """Bytes of the peer. A few more may come after `pause`."""

    def blocked(self) -> None:
        """More was written than the peer takes: stop what feeds it."""

    def drained(self) -> None:
        """Everything written has left for the kernel: go on."""

    def lost(self, reason: str) -> None:
        """The connection is gone; `reason` is a fixed word: ended, aborted, tls, broken. Once, the last call."""


class Transport(Protocol):
    """One connection. Calls after its loss do nothing."""

    @property
    def is_blocked(self) -> bool:
        """Between `blocked` and `drained`."""

    def write(self, data: bytes) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self) -> None:
        """Flushes, then ends; the handler hears nothing more but `lost`."""

    def abort(self) -> None:
        """Ends at once; what was not sent is dropped."""

    def hand_over(self, handler: Handler) -> None:
        """Later events go to `handler`."""

    def watch_for_death(self) -> None:
        """Lets the kernel find a dead peer of a connection that may rest for hours."""

    def quiet(self) -> bool:
        """Whether neither a byte nor an end of the peer waits to be read (a system call; not under TLS)."""


def _nothing(data: bytes) -> None:
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

    def write(self, data: bytes) -> None:
        if not self._closing:
            self._transport.write(data)

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
        self._acked = self._acknowledged()
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
        if self._gone:
            return
        sock = self._socket()
        if sock.family == socket.AF_UNIX:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
            ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
            ("TCP_KEEPCNT", KEEPALIVE_PROBES),
            ("TCP_USER_TIMEOUT", USER_TIMEOUT),
        ):
            option = getattr(socket, name, None)
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def quiet(self) -> bool:
        if self._closing:
            return False
        try:
            self._socket().recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

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
        acked = self._acknowledged()
        self._turns += 1
        if acked > self._acked and self._turns < LINGER_TURNS:
            self._acked = acked
            self._lingering = self._clock.callLater(self._linger, self._lingered)
        else:
            self.abort()

    def _acknowledged(self) -> int:
        """Bytes that the peer's kernel has confirmed so far; 0 where the platform does not say."""
        option = getattr(socket, "TCP_INFO", None)
        if option is None:
            return 0
        try:
            return int.from_bytes(self._socket().getsockopt(socket.IPPROTO_TCP, option, 128)[_BYTES_ACKED], "little")
        except OSError:
            return 0

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

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]
