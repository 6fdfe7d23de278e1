"""Who is at the other end of a Unix socket: the kernel's word, read at accept, before one byte of a request is."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

_UCRED = struct.Struct("3i")  # Linux: pid, uid, gid
_XUCRED = struct.Struct("=IIh2x16I")  # macOS, FreeBSD: version, uid, number of groups, groups
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1


def peer_uid(connection: socket.socket) -> int:
    """The uid of the process that connected. Raises OSError when the system does not say."""
    if sys.platform.startswith("linux"):
        _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    else:
        _, uid, *_ = _XUCRED.unpack(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED.size).ljust(_XUCRED.size, b"\0"))
    return int(uid)


class Tracked(WrappingFactory["_Gate"]):
    """Knows every open connection of a site, so that stopping it can end them; lets in only whom `admits` lets in."""

    def __init__(self, wrapped: Any, admits: Callable[[Any], bool]) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]  # twisted leaves it without types
        self.admits = admits
        self.noisy = False

    def buildProtocol(self, addr: Any) -> _Gate:
        return _Gate(self, self.wrappedFactory.buildProtocol(addr))

    async def closed(self, reactor: Any, patience: float) -> None:
        """Ends every connection and returns when their sockets are closed. What was written goes out first, for at most `patience` seconds."""
        gates = list(self.protocols)
        for gate in gates:
            gate.loseConnection()
        late = reactor.callLater(patience, lambda: [gate.abortConnection() for gate in list(self.protocols)])
        for gate in gates:
            await gate.lost
        if late.active():
            late.cancel()


class _Gate(ProtocolWrapper):
    """Refuses by closing: the wrapped protocol never hears of a connection that was not admitted."""

    _admitted = False

    def __init__(self, factory: Any, wrapped: IProtocol) -> None:
        ProtocolWrapper.__init__(self, factory, wrapped)
        self.lost: Deferred[None] = Deferred()

    def makeConnection(self, transport: Any) -> None:
        self._admitted = self.factory.admits(transport)
        if self._admitted:
            ProtocolWrapper.makeConnection(self, transport)
        else:
            transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        if self._admitted:
            ProtocolWrapper.dataReceived(self, data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # twisted types the default only
        if self._admitted:
            ProtocolWrapper.connectionLost(self, reason)
            self.lost.callback(None)


class OnlyUids:
    """Admits a connection whose peer has one of these uids; says in the log whom it did not admit."""

    log = Logger()

    def __init__(self, uids: frozenset[int], uid_of: Callable[[socket.socket], int] = peer_uid) -> None:
        self._uids = uids
        self._uid_of = uid_of

    def __call__(self, transport: Any) -> bool:
        try:
            uid = self._uid_of(transport.getHandle())
        except (OSError, struct.error):
            self.log.warn("A connection to the local socket was refused: the system does not say whose it is.")
            return False
        if uid not in self._uids:
            self.log.warn("A connection to the local socket by uid {uid} was refused.", uid=uid)
        return uid in self._uids
