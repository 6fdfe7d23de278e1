"""Transports of our own: a socket, plain or with OpenSSL bound to it, on the loop.

What makes them cheap: a write is tried at once, and writability is asked for only when the kernel did not take it all; one buffer for all reads; no
byte is copied between a read of one side and the write to the other; OpenSSL works on the socket itself, so it keeps no buffers that grow with a
burst and stay. What a stalled reader holds: one read, less what was sent of it, and one record inside OpenSSL.

A reader that is told of an end while it does not read is set aside (level-triggered epoll would tell it without pause), and finds what was said
before the end when it reads on.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Final

from twisted.internet.interfaces import IReactorTime

from hsadmin.front.limits import Deadlines
from hsadmin.front.loop import GONE, READABLE, WRITABLE, Loop
from hsadmin.front.transports import LINGER_TURNS, Bytes, Handler, acknowledged, is_quiet

NOTHING: Final = bytearray()
ASIDE = 1 << 30  # instead of what is asked of the loop: this socket is not on it
_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger: on, no time


class Ground:
    """What all wires of one carrier stand on."""

    __slots__ = ("clock", "deadlines", "linger", "loop")

    def __init__(self, reactor: IReactorTime, *, linger: float) -> None:
        self.clock = reactor
        self.loop = Loop(reactor)
        self.deadlines = Deadlines(reactor)
        self.linger = linger


class Leaving:
    """The handler of a wire that is closing: what comes is dropped, and the one before hears only of the loss."""

    __slots__ = ("_before",)

    def __init__(self, before: Handler) -> None:
        self._before = before

    def ready(self) -> None: ...

    def received(self, data: Bytes) -> None: ...

    def blocked(self) -> None: ...

    def drained(self) -> None: ...

    def lost(self, reason: str) -> None:
        self._before.lost(reason)


class Wire:
    """A Transport on a plain socket, TCP or Unix. `begin` puts it on the loop."""

    __slots__ = (
        "_acked",
        "_asked",
        "_closing",
        "_ground",
        "_handler",
        "_mute",
        "_out",
        "_sock",
        "_turns",
        "_word",
        "deadline",
        "is_blocked",
    )

    def __init__(self, ground: Ground, sock: socket.socket, handler: Handler) -> None:
        self._ground = ground
        self._sock = sock
        self._handler = handler
        self._out = NOTHING  # what the kernel has not taken yet
        self._asked = READABLE  # what the loop is to tell
        self._closing = False
        self._mute = False  # nothing more is written: we are closing, or the peer takes nothing
        self.is_blocked = False

    def begin(self) -> None:
        self._ground.loop.add(self._sock.fileno(), self, self._asked)
        self._handler.ready()

    # — the loop tells —

    def event(self, events: int) -> None:
        if events & (WRITABLE | GONE) and self._asked & WRITABLE:
            self._flush()
        if events & (READABLE | GONE) and self._asked & READABLE:
            self._read()
        elif events & GONE and not self._asked:
            self._ground.loop.drop(self._sock.fileno())
            self._asked = ASIDE

    def crashed(self) -> None:
        self.abort()

    def _read(self) -> None:
        loop = self._ground.loop
        try:
            count = self._sock.recv_into(loop.buffer)
        except BlockingIOError:
            return
        except OSError:
            self._over("broken")
            return
        if count:
            self._handler.received(loop.view[:count])
        else:
            self._over("ended")

    def _flush(self) -> None:
        out = self._out
        try:
            sent = self._sock.send(out)
        except BlockingIOError:
            return
        except OSError:
            self._write_failed()
            return
        del out[:sent]
        if not out:
            self._flushed()

    def _flushed(self) -> None:
        self._out = NOTHING
        self._ask(self._asked & ~WRITABLE)
        if self._closing:
            self._say_end()
        elif self.is_blocked:
            self.is_blocked = False
            self._handler.drained()

    # — handlers ask —

    def write(self, data: Bytes) -> None:
        size = len(data)
        if self._mute or not size:
            return
        if self._out:
            self._out += data
            return
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._write_failed()
            return
        if sent < size:
            self._keep(memoryview(data)[sent:])

    def _keep(self, rest: memoryview) -> None:
        self._out = bytearray(rest)
        self._ask(self._asked | WRITABLE)
        self.is_blocked = True
        self._handler.blocked()

    def pause(self) -> None:
        if not self._closing and self._asked & READABLE:
            self._ask(self._asked & ~READABLE)

    def resume(self) -> None:
        if not self._closing and not self._asked & READABLE:
            self._ask(self._asked | READABLE)

    def close(self) -> None:
        if self._closing:
            return
        self._leave("ended")
        self._acked = acknowledged(self._sock)
        self._turns = 0
        self._within_linger()
        self._ask(self._asked | READABLE)
        if not self._out:
            self._say_end()

    def abort(self) -> None:
        self._end_soon("aborted")

    def hand_over(self, handler: Handler) -> None:
        self._handler = Leaving(handler) if self._closing else handler

    def watch_for_death(self) -> None:
        """Visitors' sockets have it from their listener."""

    def quiet(self) -> bool:
        return not self._closing and is_quiet(self._sock)

    # — how it ends —

    def _leave(self, word: str) -> None:
        self._closing = self._mute = True
        self._word = word
        self._handler = Leaving(self._handler)

    def _say_end(self) -> None:
        """Everything is with the kernel: say the end. Reading goes on until the peer says it too."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._end_soon("broken")

    def _write_failed(self) -> None:
        """What the peer said before it went is still there to be read, and then tells of the loss; but nobody waits for that for ever."""
        self._out = NOTHING
        if self._closing:
            self._end_soon("broken")
            return
        self._mute = True
        self._ask(self._asked & ~WRITABLE)
        self._within_linger()

    def _within_linger(self) -> None:
        self.deadline = self._ground.clock.seconds() + self._ground.linger
        self._ground.deadlines.watch(self)

    def overdue(self) -> None:
        """The linger: is the peer still taking what we said?"""
        if not self._closing:
            self._end_soon("broken")
            return
        acked = acknowledged(self._sock)
        self._turns += 1
        if acked > self._acked and self._turns < LINGER_TURNS:
            self._acked = acked
            self._within_linger()
        else:
            self._end_soon("aborted")

    def _end_soon(self, word: str) -> None:
        """Not from within a call of the handler: it is in the middle of something."""
        sock = self._sock
        if sock.fileno() < 0:
            return
        if not self._closing:
            self._leave(word)
        self._word = word
        self._put_down()
        if word != "ended":
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.close()
        self._ground.loop.soon(self._tell)

    def _over(self, word: str) -> None:
        """The peer has ended, or the kernel has given it up."""
        if self._sock.fileno() < 0:
            return
        if not self._closing:
            self._leave(word)
        self._put_down()
        self._sock.close()
        self._tell()

    def _put_down(self) -> None:
        self._out = NOTHING
        self._ground.deadlines.forget(self)
        if self._asked != ASIDE:
            self._ground.loop.drop(self._sock.fileno())
            self._asked = ASIDE

    def _tell(self) -> None:
        handler = self._handler
        del self._handler  # or the two would keep each other
        handler.lost(self._word)

    # — what the loop is to tell —

    def _ask(self, events: int) -> None:
        events &= ~ASIDE
        sock = self._sock
        if events == self._asked or sock.fileno() < 0:
            return
        if self._asked == ASIDE:
            self._ground.loop.add(sock.fileno(), self, events)
        else:
            self._ground.loop.change(sock.fileno(), events)
        self._asked = events

    def _socket(self) -> socket.socket:
        return self._sock
