"""One visitor's connection: a state machine over his bytes, the rules, an upstream and the clock.

Theory of operation. A connection lives in one state; what may happen in it is the table below, and nothing else does.

    HANDSHAKE  connected, TLS not yet done                              limit: handshake
    HEAD       between requests, or a head is incomplete                 limit: idle before its first byte, then head
    PARKED     headscale is away; the request waits in the park          limit: park, counted from the first wait
    DIALLING   a connection to the upstream is being made                limit: connect (the pool's)
    UPGRADING  an upgrade was asked; the upstream's 101 is awaited       limit: upgrade
    EXCHANGE   request body and answer pass, either may end first        limit: body, answer or stall, by what is waited for
    TUNNEL     a Tunnel has both transports; this object is done
    CLOSING    our last word is written and flushing                     limit: the transport's linger
    GONE       the visitor's socket is closed

Bytes that nobody is to have yet (behind a request, or before a 101) are kept, and the visitor is not read while more than KEEP of them wait.
Not one of them reaches an upstream before it has answered 101: until then it could take them for another request, past the table of paths.
What belongs to one request alone is an Exchange; it moves the state between HEAD and TUNNEL.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Literal

from hsadmin.front.allow import client_address
from hsadmin.front.answers import BUSY, TIMED_OUT, OwnAnswer, refusal
from hsadmin.front.exchange import Exchange
from hsadmin.front.head import MAX_HEAD, Refused, RequestHead
from hsadmin.front.house import Door
from hsadmin.front.limits import NEVER, IPAddress, Source, source_of
from hsadmin.front.transports import Bytes, Transport
from hsadmin.model.front import AccessRecord

KEEP = 16 * 1024  # bytes read ahead of their use


class State(enum.IntEnum):
    HANDSHAKE = 0
    HEAD = 1
    PARKED = 2
    DIALLING = 3
    UPGRADING = 4
    EXCHANGE = 5
    TUNNEL = 6
    CLOSING = 7
    GONE = 8


Event = Literal[
    "ready",  # the visitor may be spoken to
    "seek",  # a request may go on: get a connection to its upstream
    "hold",  # headscale is away: wait
    "send",  # connected: the request's head was written
    "send-upgrade",  # connected: the upgrade was asked
    "declined",  # anything but 101 to an upgrade
    "switched",  # 101
    "next",  # the answer is given, the connection goes on
    "end",  # our last word is written
    "lost",  # the visitor's socket is closed
]

TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.HANDSHAKE, "ready"): State.HEAD,
    (State.HEAD, "seek"): State.DIALLING,
    (State.HEAD, "hold"): State.PARKED,
    (State.HEAD, "next"): State.HEAD,  # the front answered by itself
    (State.PARKED, "seek"): State.DIALLING,
    (State.DIALLING, "hold"): State.PARKED,
    (State.DIALLING, "send"): State.EXCHANGE,
    (State.DIALLING, "send-upgrade"): State.UPGRADING,
    (State.UPGRADING, "declined"): State.EXCHANGE,
    (State.UPGRADING, "switched"): State.TUNNEL,
    (State.EXCHANGE, "seek"): State.DIALLING,  # a pooled connection died unused: once more, on a fresh one
    (State.EXCHANGE, "hold"): State.PARKED,  # the same, and headscale is away
    **{(state, "next"): State.HEAD for state in (State.PARKED, State.DIALLING, State.EXCHANGE)},
    **{(state, "end"): State.CLOSING for state in State if state < State.TUNNEL},
    **{(state, "lost"): State.GONE for state in State if state not in (State.TUNNEL, State.GONE)},
}


class Visitor:
    """The handler of a visitor's transport, until a tunnel takes that over.

    `peer` is the socket's address, None for a Unix socket; `source` the one it counts to until it asks for a tunnel, None for none.
    """

    __slots__ = ("_exchange", "_look_at", "_peer", "_served", "_source", "deadline", "door", "kept", "leaving", "state", "wire")

    wire: Transport  # set by the door as it makes both

    def __init__(self, door: Door, peer: IPAddress | None, source: Source | None) -> None:
        self.door = door
        self.kept = b""  # bytes read ahead
        self.leaving = False  # the house closes: no further request
        self.state = State.HANDSHAKE
        self.deadline = door.house.clock.seconds() + door.house.limits.handshake
        self._peer = peer
        self._source = source
        self._exchange: Exchange | None = None
        self._look_at = 0  # size of an unfinished head at which it is looked at again, unless a line ends before: not at every byte
        self._served = False
        door.house.enter(self, source)

    def go(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state, event]

    # — the transport tells —

    def ready(self) -> None:
        self.go("ready")
        self._within(self.door.house.limits.head)

    def received(self, data: Bytes) -> None:
        data = bytes(data)
        exchange = self._exchange
        if exchange is not None and exchange.takes_body:
            data = exchange.pass_body(data)
            if not data:
                return
        first = not self.kept
        self.kept = data if first else self.kept + data
        if self.state is State.HEAD:
            if first and self._served:
                self._within(self.door.house.limits.head)
            if first or b"\n" in data or len(self.kept) >= self._look_at:
                self._next()
        if len(self.kept) > KEEP:
            self.wire.pause()

    def blocked(self) -> None:
        if self._exchange is not None:
            self._exchange.visitor_blocked()
        elif self.state is State.HEAD:
            self._within(self.door.house.limits.stall)

    def drained(self) -> None:
        if self._exchange is not None:
            self._exchange.visitor_drained()
        elif self.state is State.HEAD:
            self._within(self.door.house.limits.idle)
            self._next()

    def lost(self, reason: str) -> None:
        before = self.state
        self.go("lost")
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.abandoned(reason)
        elif before is State.HANDSHAKE:
            self.door.house.ledger.refused("handshake")
        self.door.house.went(self, self._source)

    # — requests —

    def _next(self) -> None:
        """Takes requests from what was kept while they are answered at once; a visitor who does not read his answers gets no more of them."""
        while self.state is State.HEAD and self.kept and not self.wire.is_blocked:
            try:
                head = self.door.house.memo.parse(self.kept)
            except Refused as refused:
                self._refuse_bytes(refusal(refused), refused.rule)
                return
            if head is None:
                self._look_at = min(2 * len(self.kept), MAX_HEAD)
                break
            self.kept = self.kept[head.size :]
            self._served = True
            self._begin(head)
        if self.state is State.HEAD:
            self.read_on()

    def _begin(self, head: RequestHead) -> None:
        door = self.door
        house = door.house
        forwarded = [value for name, value in head.fields if name == b"x-forwarded-for"] if house.trusted_proxies or not self._peer else []
        client = client_address(self._peer, forwarded, house.trusted_proxies)
        decision = door.rules.decide(head, client)
        self._exchange = exchange = Exchange(self, head, client, decision)
        if decision.answer is not None:
            exchange.reply(decision.answer)
        elif decision.route.rate and house.rates.wait(decision.route.rate, source_of(client)):
            exchange.refuse(BUSY, "rate")
        else:
            if exchange.wants_upgrade:
                house.sources.uncount(self._source)
                self._source = None
            exchange.ask()

    def give_kept(self) -> None:
        """The exchange is ready for the body: what was read of it, then what comes."""
        data, self.kept = self.kept, b""
        self.wire.resume()
        if data:
            self.received(data)

    def read_on(self) -> None:
        if len(self.kept) <= KEEP:
            self.wire.resume()

    def finished(self, *, keep: bool) -> None:
        """The exchange is over, its record written."""
        self._exchange = None
        if self.leaving or not keep:
            self._end()
            return
        looping = self.state is State.HEAD  # `_next` called us, and goes on
        self.go("next")
        limits = self.door.house.limits
        self._within(limits.stall if self.wire.is_blocked else limits.head if self.kept else limits.idle)
        if not looping:
            self._next()

    def give_up(self) -> bytes:
        """A tunnel takes over: what was read ahead for it. Whoever knew whom forgets it, or both would stay with the tunnel."""
        self.go("switched")
        self._exchange = None
        kept, self.kept = self.kept, b""
        return kept

    def break_off(self) -> None:
        """The exchange cannot be ended well: let the visitor see that."""
        self._exchange = None
        self._end(abort=True)

    def _refuse_bytes(self, answer: OwnAnswer, word: str) -> None:
        """What came is no request."""
        ledger = self.door.house.ledger
        said = answer.as_bytes(close=True, hsts=self.door.hsts())
        ledger.refused(word)
        ledger.record(
            AccessRecord(
                route="malformed",
                method="",
                status=answer.status,
                received=len(self.kept),
                sent=len(said),
                seconds=0.0,
                peer=str(self._peer or "unix"),
                note=word,
            )
        )
        self.wire.write(said)
        self._end()

    def _end(self, *, abort: bool = False) -> None:
        self.go("end")
        self.deadline = NEVER
        self.kept = b""
        if abort:
            self.wire.abort()
        else:
            self.wire.close()

    def _within(self, seconds: float) -> None:
        self.deadline = self.door.house.clock.seconds() + seconds

    # — time, and the house —

    def overdue(self) -> None:
        self.deadline = NEVER
        if self._exchange is not None:
            self._exchange.overdue()
        elif self.state is State.HEAD and self.kept and not self.wire.is_blocked:
            self._refuse_bytes(TIMED_OUT, "slow-head")
        elif self.state is State.HEAD and not self.wire.is_blocked:
            self._end()  # idle; nothing was asked, so nothing is said
        elif self.state in (State.HANDSHAKE, State.HEAD):
            self.door.house.ledger.refused("slow-handshake" if self.state is State.HANDSHAKE else "stalled-reader")
            self._end(abort=True)

    def leave(self) -> None:
        self.leaving = True
        if self.state is State.HANDSHAKE:
            self._end(abort=True)
        elif self.state is State.HEAD:
            self._end()
        elif self._exchange is not None and self.state in (State.PARKED, State.DIALLING):
            self._exchange.stop()

    def cut(self) -> None:
        self.wire.abort()

    def cut_upgrade(self) -> None:
        if self._exchange is not None and self.state is State.UPGRADING:
            self._exchange.stop()
