"""Answers that no upstream should give: one outcome each, and nothing of them in anybody else's answer."""

from __future__ import annotations

import time

from bench.checks.visitor import FREE, HOST_FIELD, Case, Check, Rows, must

FIRST = (200, b"first", True)
AWAY = (503, b"", True)
CUT = "cut"  # whatever came, the visitor can tell that it is not whole

OUTCOMES: dict[str, object] = {
    "nothing": AWAY,
    "garbage": AWAY,
    "half-head": AWAY,
    "two-lengths": AWAY,
    "length-and-chunks": AWAY,
    "folded": AWAY,
    "unasked-101": AWAY,
    "two-answers": FIRST,
    "late-second-answer": FIRST,
    "longer-body": FIRST,
    "unasked-100": FIRST,
    "hints": FIRST,
    "hop-by-hop": FIRST,
    "until-close": (200, b"first second", True),
    "short-body": CUT,
    "odd-chunk-size": CUT,
    "odd-chunk-end": CUT,
    "cut-chunks": CUT,
}


def rows() -> Rows:
    for what, outcome in OUTCOMES.items():
        yield f"upstream: {what}", _outcome(what.encode(), outcome)
    yield "answers in pieces", _pieces
    yield "16 MiB of answer", _large
    yield "after all that, answers belong to their questions", Case.in_order


def _ask(what: bytes) -> bytes:
    return b"GET " + FREE + b"?mode=raw&what=" + what + b" HTTP/1.1\r\n" + HOST_FIELD + b"\r\n"


def _outcome(what: bytes, outcome: object) -> Check:
    def check(case: Case) -> None:
        with case.visitor() as visitor:
            visitor.send(_ask(what))
            answer = visitor.answer()
        if outcome is CUT:
            must(answer.status in (0, 503) or not answer.whole, f"{answer}")
        else:
            must((answer.status, answer.body, answer.whole) == outcome, f"{answer}")
        if outcome is AWAY:
            must("retry-after" in answer.fields, f"{answer}")
        for name in ("server", "x-secret", "link"):
            must(name not in answer.fields, f"{answer}")
        if what == b"late-second-answer":
            time.sleep(0.4)
        case.in_order(3)

    return check


def _pieces(case: Case) -> None:
    text = b"a-text-in-many-pieces" * 10
    for minor in (0, 1):
        with case.visitor() as visitor:
            visitor.send(b"GET " + FREE + b"?mode=pieces&text=" + text + b" HTTP/1.%d\r\n" % minor + HOST_FIELD + b"\r\n")
            answer = visitor.answer()
            must((answer.body, answer.whole) == (text, True), f"HTTP/1.{minor}: {answer}")


def _large(case: Case) -> None:
    answer = case.get(FREE + b"?mode=large&total=16777216")
    must(answer.body == b"x" * 16777216, f"{len(answer.body)} bytes, or others")
