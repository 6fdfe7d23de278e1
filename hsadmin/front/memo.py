"""Heads that were parsed before: the same client asks for the same thing in the same bytes, and parsing is pure.

Only what is a whole head, short, without a body and without a secret (Cookie, Authorization) is remembered.
"""

from __future__ import annotations

from hsadmin.front.head import RequestHead, parse_request

MOST = 512  # heads
LONGEST = 1024  # bytes of one


class Memo:
    """`parse` is parse_request, with a memory. When that is full it begins anew, which costs less than knowing what was used last."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, RequestHead] = {}

    def __len__(self) -> int:
        return len(self._known)

    def parse(self, data: bytes) -> RequestHead | None:
        """Raises Refused."""
        head = self._known.get(data)
        if head is None:
            head = parse_request(data)
            if (
                head is not None
                and head.size == len(data) <= LONGEST
                and not (head.has_body or head.upgrade or b"cookie" in head.values or b"authorization" in head.values)
            ):
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[data] = head
        return head
