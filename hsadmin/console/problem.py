"""How a refusal looks on the wire: application/problem+json (RFC 9457), made in this one place.

`type` stays "about:blank", which says that `title` is the phrase of the status; what a program looks at is `code`.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from hsadmin.errors import Problem

MEDIA = "application/problem+json"


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    facts: dict[str, str | int] = {}


def describe(problem: Problem, request_id: str) -> Described:
    return Described(
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.sentence,
        code=problem.code,
        request_id=request_id,
        facts=dict(problem.facts),
    )


def internal(request_id: str) -> Described:
    """For what nobody foresaw: the answer names the log entry and nothing of what went wrong."""
    return describe(Problem(f"Something in hsadmin failed; its log has the cause under request {request_id}."), request_id)
