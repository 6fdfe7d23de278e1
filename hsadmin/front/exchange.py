"""One request of a visitor: from its head to the last byte of its answer, by way of the park, a pool and a link.

It moves the visitor's state (see connection.py), holds what belongs to this request alone, and is gone with it.

The upstream gets the head only when its connection stands. A request is sent a second time only if it has no body, the connection came from the
pool, and not one byte of an answer was heard. An answer before the request was whole is relayed, then both connections are closed: neither has
a known place where the next message begins. A request of whose answer no byte was heard ends as 503 with Retry-After; never as 502.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hsadmin.front.allow import Decision, Target
from hsadmin.front.answers import CONTINUE, TIMED_OUT, OwnAnswer, refusal, unavailable
from hsadmin.front.body import LAST_CHUNK, ChunkedBody, LengthBody, as_chunk
from hsadmin.front.head import Refused, RequestHead, ResponseHead
from hsadmin.front.limits import NEVER, IPAddress, source_of
from hsadmin.front.park import State as ParkState
from hsadmin.front.tunnel import Tunnel
from hsadmin.front.upstream import Dial, Link
from hsadmin.model.front import AccessRecord

if TYPE_CHECKING:
    from hsadmin.front.connection import Visitor

LATER = 5  # Retry-After when headscale is away for longer than a request may wait
TOO_SLOW = OwnAnswer(504, closes=True)


class Exchange:
    """See upstream.User and park.Waiting for who calls what."""

    __slots__ = (
        "_answered",
        "_body",
        "_chunk",
        "_client",
        "_decision",
        "_dial",
        "_head",
        "_house",
        "_keep",
        "_link",
        "_received",
        "_retried",
        "_sent",
        "_started",
        "_status",
        "_unsaid",
        "_visitor",
        "_wait_ends",
        "to_head_request",
        "wants_upgrade",
    )

    def __init__(self, visitor: Visitor, head: RequestHead, client: IPAddress, decision: Decision) -> None:
        self._visitor = visitor
        self._house = visitor.door.house
        self._head = head
        self._client = client
        self._decision = decision
        self._body: LengthBody | ChunkedBody | None = None  # what is still to come of the request's body
        if head.chunked:
            self._body = ChunkedBody(decision.route.body_limit)
        elif head.length:
            self._body = LengthBody(head.length)
        self._dial: Dial | None = None
        self._link: Link | None = None
        self._keep = head.keep_alive and not decision.upgrade  # behind an upgrade that fails nobody knows what the bytes are
        self._answered = self._chunk = self._retried = False
        self._received = head.size
        self._sent = self._status = 0
        self._unsaid = b""  # the answer's head, until the first of its body is seen
        self._started = self._house.clock.seconds()
        self._wait_ends = 0.0
        self.to_head_request = head.method == b"HEAD"
        self.wants_upgrade = decision.upgrade and decision.answer is None

    # — to an upstream —

    def ask(self) -> None:
        """Now, or when headscale is back."""
        if self._for_headscale and self._house.park.state is not ParkState.OPEN:
            self._wait()
        else:
            self.proceed()

    def proceed(self) -> None:
        self._visitor.go("seek")
        self._visitor.deadline = NEVER  # the pool's connect has its own
        pool = self._house.pools[self._decision.route.target]
        self._dial = pool.take(self, fresh=self.wants_upgrade or self._retried)

    def _wait(self) -> None:
        house, clock = self._house, self._house.clock
        again = bool(self._wait_ends)
        if not again:
            self._wait_ends = clock.seconds() + house.limits.park
        if self._body is not None:
            self.refuse(unavailable(LATER), "not-parked")
        elif self._wait_ends <= clock.seconds():
            self.refuse(unavailable(LATER), "parked-too-long")
        elif house.park.hold(self, source_of(self._client), again=again):
            self._visitor.go("hold")
            self._visitor.deadline = self._wait_ends
            house.ledger.count("parked")
        else:
            self.refuse(unavailable(LATER), "park-full")

    def unreachable(self, why: str) -> None:
        self._dial = None
        if self._for_headscale:
            self._wait()
        else:
            self.refuse(unavailable(), why)

    def connected(self, link: Link) -> None:
        self._dial = None
        if self._for_headscale and self._house.park.state is ParkState.SHUT:
            link.release()
            self._wait()
            return
        visitor, head = self._visitor, self._head
        self._link = link
        host = head.values[b"host"]
        link.wire.write(
            visitor.door.rules.upstream_head(self._decision, head, client=str(self._client), scheme=visitor.door.scheme, host=host)
        )
        link.sent_whole = self._body is None
        visitor.go("send-upgrade" if self.wants_upgrade else "send")
        self.rearm()
        if self._body is not None:
            if head.expect_continue and not visitor.kept:
                visitor.wire.write(CONTINUE)
            visitor.give_kept()

    @property
    def takes_body(self) -> bool:
        """Whether bytes of the visitor are for us now."""
        return self._link is not None and self._body is not None

    def pass_body(self, data: bytes) -> bytes:
        """Hands the body on in our framing; gives back what is behind it."""
        body, link = self._body, self._link
        assert body is not None
        assert link is not None
        try:
            payload, used = body.feed(data)
        except Refused as refused:
            self._fail(refusal(refused), refused.rule)
            return b""
        self._received += used
        chunked = self._head.chunked
        if body.done:
            self._body = None
            link.sent_whole = True
        if payload or (chunked and body.done):
            link.wire.write((as_chunk(payload) + (LAST_CHUNK if body.done else b"")) if chunked else payload)
        self.rearm()
        return data[used:]

    def upstream_blocked(self) -> None:
        self._visitor.wire.pause()
        self.rearm()

    def upstream_drained(self) -> None:
        self._visitor.read_on()
        self.rearm()

    # — from an upstream —

    def answer(self, head: ResponseHead) -> None:
        visitor = self._visitor
        if self.wants_upgrade:
            visitor.go("declined")
        door = visitor.door
        close = not self._keep or visitor.leaving or self._body is not None
        relayed = door.rules.downstream_head(self._decision, self._head, head, tls=door.tls, hsts=door.hsts(), close=close)
        self._answered = True
        self._status = head.status
        self._keep = not relayed.close
        self._chunk = relayed.chunk
        self._unsaid = relayed.head
        self.rearm()

    def answer_payload(self, payload: bytes, *, last: bool) -> None:
        """A head and what came with it leave in one piece: under TLS each piece is a record, and a wake-up of the visitor."""
        said = as_chunk(payload) if self._chunk else payload
        if self._chunk and last:
            said += LAST_CHUNK
        if self._unsaid:
            said, self._unsaid = self._unsaid + said, b""
        if said:
            self._write(said)
        if last:
            self._answer_whole()

    def _answer_whole(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.release(reusable=not self.wants_upgrade)
        self._finish("" if self._body is None else "answered-early")

    def switched(self, head: ResponseHead, rest: bytes) -> None:
        visitor, link, house, decision, door = self._visitor, self._link, self._house, self._decision, self._visitor.door
        assert link is not None
        if not door.rules.switched(decision, head):
            self.refuse(unavailable(), "other-upgrade")
            return
        early = visitor.give_up()
        relayed = door.rules.downstream_head(decision, self._head, head, tls=door.tls, hsts=door.hsts()).head
        self._link = None
        tunnel = Tunnel(
            house,
            id=house.ledger.next_id(),
            route=decision.route.name,
            method=self._head.method.decode("ascii"),
            client=str(self._client),
            since=house.now(),
            started=self._started,
            inward=self._received,
            visitor=visitor.wire,
            upstream=link.leave_to_tunnel(),
        )
        house.tunnel_opened(tunnel, visitor)
        tunnel.begin(to_visitor=rest if decision.swallow_101 else relayed + rest, to_upstream=early)

    def broken(self, why: str, *, heard: bool) -> None:
        link, self._link = self._link, None
        if self._answered:
            self._give_up("answer-cut")
        elif link is not None and link.reused and not heard and not self._head.has_body and not self._retried:
            self._retried = True
            self._house.ledger.count("upstream.retried")
            self.ask()
        else:
            self.refuse(unavailable(), why)

    # — how it ends —

    def reply(self, answer: OwnAnswer, note: str = "") -> None:
        """Our own answer; a visitor who announced a body is not read on, wherever that body may be by now."""
        self._keep = self._keep and self._body is None and not answer.closes
        self._status = answer.status
        close = not self._keep or self._visitor.leaving
        self._write(answer.as_bytes(to_head=self.to_head_request, close=close, hsts=self._visitor.door.hsts()))
        self._finish(note)

    def refuse(self, answer: OwnAnswer, word: str) -> None:
        self._house.ledger.refused(word)
        self._let_go()
        self.reply(answer, word)

    def overdue(self) -> None:
        if self._link is None:
            self.refuse(unavailable(LATER), "parked-too-long")
        elif self._visitor.wire.is_blocked:
            self._fail(TOO_SLOW, "stalled-reader")
        elif self._body is not None and not self._upstream_is_blocked:
            self._fail(TIMED_OUT, "slow-body")
        else:
            self._fail(TOO_SLOW, "upstream-slow")

    def stop(self) -> None:
        """headscale or the house is about to go."""
        self.refuse(unavailable(LATER, closes=True), "stopping")

    def abandoned(self, reason: str) -> None:
        """The visitor is gone."""
        self._let_go()
        self._record("visitor-ended" if reason == "ended" else "visitor-lost")

    def rearm(self) -> None:
        """The deadline for what is waited for now."""
        limits = self._house.limits
        if self._link is None:
            return
        if self.wants_upgrade and not self._answered:
            limit = limits.upgrade
        elif self._visitor.wire.is_blocked:
            limit = limits.stall
        elif self._body is not None and not self._upstream_is_blocked:
            limit = limits.body
        else:
            limit = NEVER if self._answered else limits.answer
        self._visitor.deadline = self._house.clock.seconds() + limit

    def visitor_blocked(self) -> None:
        if self._link is not None:
            self._link.wire.pause()
        self.rearm()

    def visitor_drained(self) -> None:
        if self._link is not None:
            self._link.wire.resume()
        self.rearm()

    @property
    def _for_headscale(self) -> bool:
        return self._decision.route.target is Target.HEADSCALE

    @property
    def _upstream_is_blocked(self) -> bool:
        return self._link is not None and self._link.wire.is_blocked

    def _write(self, data: bytes) -> None:
        self._sent += len(data)
        self._visitor.wire.write(data)

    def _fail(self, answer: OwnAnswer, word: str) -> None:
        """Once an answer has begun there is nothing left to say."""
        if self._answered:
            self._give_up(word)
        else:
            self.refuse(answer, word)

    def _give_up(self, word: str) -> None:
        self._house.ledger.refused(word)
        self._let_go()
        self._record(word)
        self._visitor.break_off()

    def _finish(self, note: str) -> None:
        self._record(note)
        self._visitor.finished(keep=self._keep and self._body is None)

    def _let_go(self) -> None:
        """Nothing that was asked on this visitor's behalf goes on."""
        dial, self._dial = self._dial, None
        link, self._link = self._link, None
        self._house.park.leave(self)
        if dial is not None:
            dial.cancel()
        if link is not None:
            link.user = None
            link.wire.abort()

    def _record(self, note: str) -> None:
        self._house.ledger.record(
            AccessRecord(
                route=self._decision.route.name,
                method=self._head.method.decode("ascii"),
                status=self._status,
                received=self._received,
                sent=self._sent,
                seconds=round(self._house.clock.seconds() - self._started, 6),
                peer=str(self._client),
                note=note,
            )
        )
