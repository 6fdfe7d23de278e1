"""The seam under the protocol: what a visitor's or an upstream's connection looks like to the code that speaks HTTP on it.

Protocol code knows `Transport` and `Handler`, and is given a `Carrier` that makes connections; never a socket, never a Twisted transport. There
are two carriers: `sockets` (our own, on epoll) and `stock` (Twisted's, for platforms without epoll). The protocol does not notice which.

Theory of a close. `close()` flushes, says the end (FIN, under TLS close_notify before it), then reads and drops until the peer says it too:
closing a socket with unread bytes makes the kernel send RST, which takes from the peer what it has not read yet. A peer that never answers would
stay for ever, so after `linger` seconds without any byte acknowledged, and after LINGER_TURNS such periods in any case, the connection is aborted.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol

from twisted.internet.defer import Deferred

from hsadmin.front.addresses import Address as IPAddress
from hsadmin.interfaces import ICertificates

Bytes = bytes | memoryview
Address = tuple[str, int] | str  # IP address and port, or the path of a Unix socket

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

    def received(self, data: Bytes) -> None:
        """Bytes of the peer; a view is good until the call returns. A few more may come after `pause`."""

    def blocked(self) -> None:
        """More was written than the peer takes: stop what feeds it."""

    def drained(self) -> None:
        """Everything written has left for the kernel: go on."""

    def lost(self, reason: str) -> None:
        """The connection is gone; `reason` is a fixed word: ended, aborted, tls, broken. Once, the last call; never from within `write`."""


class Transport(Protocol):
    """One connection. Calls after its loss do nothing."""

    @property
    def is_blocked(self) -> bool:
        """Between `blocked` and `drained`."""

    def write(self, data: Bytes) -> None:
        """Now, or as soon as the peer takes it; a view is not kept."""

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


class Guest(Handler, Protocol):
    """The first handler of a connection; its carrier sets `wire` before any call."""

    wire: Transport


class Entrance(Protocol):
    """Who is taken in at a listener."""

    def admit(self, peer: IPAddress | None) -> Guest | None:
        """None closes the connection at once, before TLS costs anything. `peer` is None for a Unix socket."""


class Caller(Protocol):
    """Who wants a connection. One of the two, once; never after `cancel`."""

    def reached(self) -> Guest | None:
        """It stands; None when it is of no use any more. May be called before `connect` returns."""

    def refused(self) -> None:
        """It could not be made; never before `connect` returns."""


class Attempt(Protocol):
    """A connect under way."""

    def cancel(self) -> None: ...


class Port(Protocol):
    """A listener at work."""

    def stop(self) -> Deferred[None] | None:
        """Takes no further connection; its socket is closed."""


class Carrier(Protocol):
    """Makes connections."""

    def listen(self, sock: socket.socket, entrance: Entrance, certificates: ICertificates | None) -> Port:
        """Takes `sock`, which listens already, over. With `certificates` under TLS."""

    def connect(self, address: Address, caller: Caller, *, timeout: float) -> Attempt: ...


def find_dead_peers(sock: socket.socket) -> None:
    """Keepalive, and a limit for what is never acknowledged. On Linux a listener's connections inherit both."""
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


def acknowledged(sock: socket.socket) -> int:
    """Bytes that the peer's kernel has confirmed so far; 0 where the platform does not say."""
    option = getattr(socket, "TCP_INFO", None)
    if option is None:
        return 0
    with contextlib.suppress(OSError):
        return int.from_bytes(sock.getsockopt(socket.IPPROTO_TCP, option, 128)[_BYTES_ACKED], "little")
    return 0


def is_quiet(sock: socket.socket) -> bool:
    """See Transport.quiet."""
    try:
        sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False
