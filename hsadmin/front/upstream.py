"""Connections to an upstream (headscale, the console), and the pool of those that rest.

    CONNECTING -> BUSY -> RESTING -> BUSY -> … -> closed          BUSY -> handed to a tunnel

A connection rests only after its request was sent whole before the first byte of the answer came, the answer was read whole and both said that
it may; it rests for less than the upstream's own limit, and is looked at before it is used again: a byte or an end that waits there means that
it is not what we think it is. Any byte that comes while it rests ends it. So no visitor ever reads what belongs to another one's request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from hsadmin.front.body import Body, ChunkedBody, LengthBody, UntilCloseBody
from hsadmin.front.head import MAX_HEAD, Refused, ResponseHead, parse_response
from hsadmin.front.limits import NEVER, Deadlines
from hsadmin.front.transports import Address, Attempt, Bytes, Carrier, Transport

SWITCHING = 101


class User(Protocol):
    """Whose request it is. `link` is his until the last `answer_payload`, `broken` or his own `release`."""

    to_head_request: bool
    wants_upgrade: bool

    def connected(self, link: Link) -> None:
        """Write the request now."""

    def unreachable(self, why: str) -> None:
        """No connection could be made; a fixed word."""

    def answer(self, head: ResponseHead) -> None:
        """The final head; never a 1xx. `answer_payload` follows at once, with what came of the body, if anything."""

    def answer_payload(self, payload: bytes, *, last: bool) -> None:
        """`last`: the answer is whole; release the link now."""

    def switched(self, head: ResponseHead, rest: bytes) -> None:
        """101; `rest` came behind it. Hand the link's wire to a tunnel now."""

    def broken(self, why: str, *, heard: bool) -> None:
        """The link is gone, or made no sense, before the answer was whole; `heard`: at least one byte of it came."""

    def upstream_blocked(self) -> None: ...

    def upstream_drained(self) -> None: ...


class Link:
    """One connection to an upstream: the handler of its wire."""

    __slots__ = ("_body", "_buffer", "_head", "_heard", "_pool", "_spoiled", "deadline", "reused", "sent_whole", "user", "wire")

    wire: Transport

    def __init__(self, pool: Pool, user: User) -> None:
        self._pool = pool
        self.user: User | None = user
        self.deadline = NEVER
        self.reused = False
        self._forget()

    def _forget(self) -> None:
        self._body: Body | None = None
        self._buffer = b""
        self._head: ResponseHead | None = None
        self._heard = False
        self._spoiled = False
        self.sent_whole = False  # set by the user once the request's last byte was written

    def reuse(self, user: User) -> None:
        self._forget()
        self.user = user
        self.reused = True
        self.deadline = NEVER

    def release(self, *, reusable: bool = True) -> None:
        """The user needs it no more: back to the pool if nothing speaks against it, else closed."""
        self.user = None
        head, body = self._head, self._body
        clean = head is not None and head.keep_alive and body is not None and body.done
        if reusable and clean and self.sent_whole and not self._spoiled and not self._buffer and not self.wire.is_blocked:
            self.wire.resume()
            self._pool.rest(self)
        else:
            self.wire.abort()

    def leave_to_tunnel(self) -> Transport:
        self.user = None
        self._pool.links.discard(self)
        return self.wire

    # — the wire tells —

    def ready(self) -> None:
        self._pool.opened()
        if self.user is None:
            self.wire.abort()
        else:
            self.user.connected(self)

    def received(self, data: Bytes) -> None:
        if self.user is None:
            self._pool.drop(self)
            return
        data = bytes(data)
        if not self._heard:
            self._heard = True
            self._spoiled = not self.sent_whole
        try:
            if self._head is None:
                self._buffer += data
                self._read_head(self.user)
            else:
                self._read_body(self.user, data)
        except Refused as refused:
            self._fail(refused.rule)

    def blocked(self) -> None:
        if self.user is not None:
            self.user.upstream_blocked()

    def drained(self) -> None:
        if self.user is not None:
            self.user.upstream_drained()

    def lost(self, reason: str) -> None:
        self._pool.gone(self)
        user, self.user = self.user, None
        if user is None:
            return
        if self._body is not None and reason == "ended" and self._body.end_of_input():
            self.user = user
            user.answer_payload(b"", last=True)
        else:
            user.broken("upstream-lost", heard=self._heard)

    def overdue(self) -> None:
        """Rested long enough."""
        self._pool.drop(self)

    # — the answer —

    def _read_head(self, user: User) -> None:
        while True:
            head = parse_response(self._buffer, to_head_request=user.to_head_request)
            if head is None:
                if len(self._buffer) > MAX_HEAD:
                    self._fail("head-too-large")
                return
            rest, self._buffer = self._buffer[head.size :], b""
            if head.status == SWITCHING:
                if user.wants_upgrade:
                    user.switched(head, rest)
                else:
                    self._fail("unasked-upgrade")
                return
            if head.status >= 200:
                break
            self._buffer = rest  # 100, 102, 103: the visitor was told, or does not need it
        self._head = head
        if head.until_close:
            self._body = UntilCloseBody()
        elif head.chunked:
            self._body = ChunkedBody()
        else:
            self._body = LengthBody(head.length or 0)
        user.answer(head)
        if self.user is user:
            self._read_body(user, rest)

    def _read_body(self, user: User, data: bytes) -> None:
        body = self._body
        assert body is not None
        payload, used = body.feed(data)
        if body.done:
            self._spoiled = self._spoiled or used < len(data)
        user.answer_payload(payload, last=body.done)

    def _fail(self, why: str) -> None:
        user, self.user = self.user, None
        self.wire.abort()
        if user is not None:
            user.broken("upstream-" + why, heard=self._heard)


class Dial:
    """One attempt to connect; the user may cancel it."""

    __slots__ = ("_pool", "attempt", "user")

    attempt: Attempt

    def __init__(self, pool: Pool, user: User) -> None:
        self._pool = pool
        self.user: User | None = user

    def cancel(self) -> None:
        self.user = None
        self.attempt.cancel()

    def reached(self) -> Link | None:
        user, self.user = self.user, None
        return None if user is None else self._pool.link_for(user)

    def refused(self) -> None:
        user, self.user = self.user, None
        if user is not None:
            self._pool.failed()
            user.unreachable("upstream-unreachable")


class Pool:
    """Connections to one upstream.

    `address` is asked at each connect (headscale's port may change with a restart). `reached` and `failed` are told how connects go, `moved` of
    each socket that has closed.
    """

    def __init__(
        self,
        clock: IReactorTime,
        carrier: Carrier,
        name: str,
        address: Callable[[], Address],
        *,
        deadlines: Deadlines,
        rest: float,
        most: int,
        connect: float,
        count: Callable[[str], None],
        moved: Callable[[], None] = lambda: None,
        reached: Callable[[], None] = lambda: None,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._carrier = carrier
        self._name = name
        self._address = address
        self._deadlines = deadlines
        self._rest = rest
        self._most = most
        self._connect = connect
        self._count = count
        self._moved = moved
        self._reached = reached
        self.failed = failed
        self._resting: dict[Link, None] = {}
        self.links: set[Link] = set()  # every socket that is not a tunnel's

    @property
    def all_busy(self) -> bool:
        """Whether every socket is at work for somebody: none rests, none is about to close."""
        return all(link.user is not None for link in self.links)

    def take(self, user: User, *, fresh: bool) -> Dial | None:
        """A rested connection at once (`connected` is called before this returns), or a dial under way."""
        while self._resting and not fresh:
            link, _ = self._resting.popitem()
            self._deadlines.forget(link)
            if link.wire.quiet():
                link.reuse(user)
                self._count(f"upstream.{self._name}.reused")
                user.connected(link)
                return None
            link.wire.abort()
        dial = Dial(self, user)
        dial.attempt = self._carrier.connect(self._address(), dial, timeout=self._connect)
        return dial if dial.user is user else None

    def close(self) -> None:
        """None rests from now on."""
        self._most = 0
        self.close_resting()

    def close_resting(self) -> None:
        for link in list(self._resting):
            self.drop(link)

    def abort_all(self) -> None:
        """Also those that are busy; their users hear of it."""
        for link in list(self.links):
            link.wire.abort()

    # — its links tell —

    def link_for(self, user: User) -> Link:
        link = Link(self, user)
        self.links.add(link)
        return link

    def opened(self) -> None:
        self._count(f"upstream.{self._name}.opened")
        self._reached()

    def rest(self, link: Link) -> None:
        if len(self._resting) >= self._most:
            link.wire.abort()
            return
        self._resting[link] = None
        link.deadline = self._clock.seconds() + self._rest
        self._deadlines.watch(link)

    def drop(self, link: Link) -> None:
        self._resting.pop(link, None)
        self._deadlines.forget(link)
        link.wire.abort()

    def gone(self, link: Link) -> None:
        self._resting.pop(link, None)
        self._deadlines.forget(link)
        self.links.discard(link)
        self._moved()
