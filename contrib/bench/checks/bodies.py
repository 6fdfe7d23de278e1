"""Bodies: framing as we read it, and connections to the upstream that owe bytes and so must not be used again."""

from __future__ import annotations

import hashlib
import json
import random
import time

from bench.checks.visitor import CONFIRM, FREE, HOST_FIELD, Case, Check, Rows, must

H = HOST_FIELD
_POST = b"POST " + CONFIRM + b"%b HTTP/1.1\r\n" + H + b"%b\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_BEHIND = b"GET /windows?canary HTTP/1.1\r\n" + H + b"\r\n"

GOOD_CHUNKS = {
    "sizes of one byte": (b"".join(b"1\r\n%c\r\n" % byte for byte in b"hello") + b"0\r\n\r\n", b"hello"),
    "leading zeros": (b"0000005\r\nhello\r\n00\r\n\r\n", b"hello"),
    "capital digits": (b"A\r\nhellohello\r\n0\r\n\r\n", b"hellohello"),
    "extensions": (b"5;name=value\r\nhello\r\n0;last\r\n\r\n", b"hello"),
    "trailers": (b"5\r\nhello\r\n0\r\nX-Canary: canary\r\n\r\n", b"hello"),
    "a request inside": (b"%x\r\n" % len(_BEHIND) + _BEHIND + b"\r\n0\r\n\r\n", _BEHIND),
    "nothing": (b"0\r\n\r\n", b""),
}
ODD_CHUNKS = {
    "signed": b"+5\r\nhello\r\n0\r\n\r\n",
    "negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "space behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "empty": b"\r\nhello\r\n0\r\n\r\n",
    "no digit": b"g\r\nhello\r\n0\r\n\r\n",
    "17 digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "beyond 64 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "bare LF": b"5\nhello\r\n0\r\n\r\n",
    "CR alone": b"5\rhello\r\n0\r\n\r\n",
    "data too long": b"5\r\nhello!\r\n0\r\n\r\n",
    "data without end": b"5\r\nhello0\r\n\r\n",
    "full-width digit": b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n",
}


def rows() -> Rows:
    yield "a body with a length", _with_length
    yield "a chunked body in odd pieces", _odd_pieces
    for name, (data, body) in GOOD_CHUNKS.items():
        yield f"chunks: {name}", _good_chunks(data, body)
    for name, data in ODD_CHUNKS.items():
        yield f"odd chunk size: {name}", _odd_chunks(data)
    yield "a body that is too large", _too_large
    yield "a body where none is taken", _not_taken
    yield "Expect: 100-continue", _expected
    yield "an answer before the body ends the connection", _early_answer
    yield "visitors who leave in their body", _left_in_body
    yield "visitors who leave in an answer", _left_in_answer


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _with_length(case: Case) -> None:
    body = random.randbytes(4096)
    with case.visitor() as visitor:
        for _ in range(3):
            visitor.send(_POST % (b"", b"Content-Length: 4096\r\n") + body)
            must(json.loads(visitor.answer().body)["digest"] == _digest(body), "another body arrived")


def _odd_pieces(case: Case) -> None:
    for _ in range(20):
        body = random.randbytes(4000)
        data, at = b"", 0
        while at < len(body):
            size = random.choice((1, 2, 15, 16, 17, 255, 1000))
            piece = body[at : at + size]
            data += b"%x\r\n" % len(piece) + piece + b"\r\n"
            at += size
        data += b"0\r\n\r\n"
        with case.visitor() as visitor:
            visitor.send(_POST % (b"", _CHUNKED))
            while data:
                cut = random.choice((1, 3, 100, 2000))
                visitor.send(data[:cut])
                data = data[cut:]
            must(json.loads(visitor.answer().body)["digest"] == _digest(body), "another body arrived")


def _good_chunks(data: bytes, body: bytes) -> Check:
    def check(case: Case) -> None:
        case.no_canary()
        with case.visitor() as visitor:
            visitor.send(_POST % (b"", _CHUNKED) + data + b"GET " + FREE + b"?mode=say&text=behind HTTP/1.1\r\n" + H + b"\r\n")
            report = json.loads(visitor.answer().body)
            must(report["digest"] == _digest(body), f"{report}")
            must("canary" not in str(report).lower(), f"{report}")
            must(visitor.answer().body == b"behind", "the request behind it was lost")
        case.no_canary()

    return check


def _odd_chunks(data: bytes) -> Check:
    def check(case: Case) -> None:
        answer, ended = case.ask(_POST % (b"", _CHUNKED) + data + _BEHIND)
        must(answer.status == 0 or 400 <= answer.status < 600, f"answered {answer.status}")
        must(ended, f"{answer.status}, and the connection goes on")
        for entry in case.product.journal():
            must(not entry["digest"] and "canary" not in entry["target"], f"the upstream saw {entry}")

    return check


def _too_large(case: Case) -> None:
    for fields, data in ((b"Content-Length: 4097\r\n", b"x" * 4097), (_CHUNKED, b"1001\r\n" + b"x" * 4097 + b"\r\n0\r\n\r\n")):
        answer, ended = case.ask(_POST % (b"", fields) + data + _BEHIND)
        must(answer.status in (0, 413) and ended, f"{answer.status}, ended {ended}")
    for entry in case.product.journal():
        must(not entry["digest"] and "canary" not in entry["target"], f"the upstream saw {entry}")


def _not_taken(case: Case) -> None:
    answer, ended = case.ask(b"GET " + FREE + b"?canary HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\nhello")
    must(answer.status in (0, 400, 404, 413) and ended, f"{answer.status}, ended {ended}")
    case.no_canary()


def _expected(case: Case) -> None:
    with case.visitor() as visitor:
        visitor.send(_POST % (b"", b"Content-Length: 5\r\nExpect: 100-continue\r\n"))
        must(visitor.head().status == 100, "no 100 Continue")
        visitor.send(b"hello")
        must(json.loads(visitor.answer().body)["digest"] == _digest(b"hello"), "another body arrived")


def _early_answer(case: Case) -> None:
    case.no_canary()
    for length in (b"Content-Length: 4000\r\n", _CHUNKED):
        with case.visitor() as visitor:
            visitor.send(_POST % (b"?mode=raw&what=early", length) + b"fa0\r\n"[: 5 * (length == _CHUNKED)] + b"x" * 100)
            must(visitor.answer().body == b"early", "the early answer did not come")
            visitor.attempt(_BEHIND.ljust(3900, b" "))
            visitor.attempt(_BEHIND)
            must(visitor.ended(), "the connection goes on, in the middle of a body")
    case.in_order()
    time.sleep(0.2)
    for entry in case.product.journal():
        must("HTTP/1.1" not in entry["after"].replace("canary HTTP/1.1", ""), f"a request followed an unfinished body: {entry}")
        must("canary" not in entry["target"], f"the upstream saw {entry}")


def _left_in_body(case: Case) -> None:
    for number in range(12):
        with case.visitor() as visitor:
            visitor.send(_POST % (b"?mode=report", _CHUNKED if number % 2 else b"Content-Length: 1000\r\n") + b"64\r\n" + b"x" * 50)
            if number % 3 == 0:
                visitor.reset()
    case.in_order()
    case.no_canary()


def _left_in_answer(case: Case) -> None:
    for number in range(8):
        with case.visitor() as visitor:
            visitor.send(b"GET " + FREE + b"?mode=large&total=4194304 HTTP/1.1\r\n" + H + b"\r\n")
            must(len(visitor.exactly(5000 * number + 1000)) > 0, "no answer")
            if number % 2:
                visitor.reset()
    case.in_order()
