"""Heads met before: the same client asks the same in the same bytes, headscale answers the same within a second, and what is made of them is pure.

Remembered are short whole heads without a secret (no Cookie, Authorization, Set-Cookie or Location), requests without a body; and with them what was
decided and written anew, as long as the visitor's address has no part in it. A full memory begins anew, which costs less than knowing what was used
last. One for each door or pool: what differs between them is no part of a key.
"""

from __future__ import annotations

from collections.abc import Hashable

from hsadmin.front.allow import Decision, Target
from hsadmin.front.head import RequestHead, ResponseHead, parse_request, parse_response
from hsadmin.front.relay import Relayed

MOST = 512  # heads
LONGEST = 1024  # bytes of one
_SECRET_REQUESTS = (b"cookie", b"authorization")
_SECRET_ANSWERS = (b"set-cookie", b"location")


class Asked:
    """A request's head, and once known what follows from it alone."""

    __slots__ = ("_lasting", "decision", "head", "upstream")

    def __init__(self, head: RequestHead, *, lasting: bool) -> None:
        self.head = head
        self._lasting = lasting
        self.decision: Decision | None = None
        self.upstream = b""  # the head that goes upstream

    def decided(self, decision: Decision) -> None:
        """Only headscale's part of the table is the same for everybody."""
        if self._lasting and decision.route.target is Target.HEADSCALE:
            self.decision = decision

    def wrote(self, upstream: bytes) -> None:
        if self.decision is not None:
            self.upstream = upstream


class Requests:
    """The visitors' side of a door."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, Asked] = {}

    def __len__(self) -> int:
        return len(self._known)

    def read(self, data: bytes) -> Asked | None:
        """As parse_request. Raises Refused."""
        asked = self._known.get(data)
        if asked is not None:
            return asked
        head = parse_request(data)
        if head is None:
            return None
        lasting = (
            head.size == len(data) <= LONGEST
            and not (head.has_body or head.upgrade)
            and not any(name in head.values for name in _SECRET_REQUESTS)
        )
        asked = Asked(head, lasting=lasting)
        if lasting:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[data] = asked
        return asked


class Heard:
    """An upstream's head, and what was made of it for visitors, by all that has a part in that."""

    __slots__ = ("head", "relayed")

    def __init__(self, head: ResponseHead, relayed: dict[Hashable, Relayed] | None = None) -> None:
        self.head = head
        self.relayed = relayed


class Answers:
    """The upstream's side of a pool."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, Heard] = {}

    def __len__(self) -> int:
        return len(self._known)

    def read(self, data: bytes, *, to_head_request: bool) -> Heard | None:
        """As parse_response. Raises Refused."""
        end = data.find(b"\r\n\r\n", 0, LONGEST) + 4
        if to_head_request or end < 4:
            head = parse_response(data, to_head_request=to_head_request)
            return None if head is None else Heard(head)
        key = data[:end]
        heard = self._known.get(key)
        if heard is not None:
            return heard
        head = parse_response(data, to_head_request=False)
        if head is None:
            return None
        if head.status < 200 or head.size != end or any(name in head.values for name in _SECRET_ANSWERS):
            return Heard(head)
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[key] = heard = Heard(head, {})
        return heard
