"""Heads: which paths exist, which heads are refused, what travels on with a request, and how bytes may be cut."""

from __future__ import annotations

import json

from bench.checks.visitor import CANARY, CONFIRM, FREE, HOST_FIELD, PAGE, Case, Check, Rows, must

H = HOST_FIELD
_KEY = b"GET /key?canary HTTP/1.1\r\n"
_POST = b"POST " + CONFIRM + b"?canary HTTP/1.1\r\n" + H
_BEHIND = b"GET /windows?canary HTTP/1.1\r\n" + H + b"\r\n"

SHUT = (
    *(b"/secret", b"/health", b"/metrics", b"/api/v1/node", b"/swagger", b"/debug/pprof/", b"/verify", b"/bench/journal"),
    *(b"/key/", b"/key/../windows", b"//windows", b"/%77indows", b"/key%2f..%2fwindows", b"/key;a", b"/KEY", b"/windows/.", b"/\\windows"),
)

MALFORMED = {
    "length and coding": _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _BEHIND,
    "coding and length": _POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + _BEHIND,
    "two lengths": _POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!" + _BEHIND,
    "two equal lengths": _POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" + _BEHIND,
    "a list of lengths": _POST + b"Content-Length: 5, 5\r\n\r\nhello" + _BEHIND,
    "signed length": _POST + b"Content-Length: +5\r\n\r\nhello" + _BEHIND,
    "negative length": _POST + b"Content-Length: -5\r\n\r\nhello" + _BEHIND,
    "hexadecimal length": _POST + b"Content-Length: 0x5\r\n\r\nhello" + _BEHIND,
    "length with underscore": _POST + b"Content-Length: 1_0\r\n\r\nhellohello" + _BEHIND,
    "empty length": _POST + b"Content-Length: \r\n\r\n" + _BEHIND,
    "a length beyond all": _POST + b"Content-Length: 99999999999999999999\r\n\r\nhello" + _BEHIND,
    "odd coding": _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + _BEHIND,
    "coding twice": _POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _BEHIND,
    "coding list": _POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + _BEHIND,
    "identity and chunked": _POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _BEHIND,
    "coding behind a vertical tab": _POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + _BEHIND,
    "coding in HTTP/1.0": b"POST " + CONFIRM + b"?canary HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _BEHIND,
    "space before colon": _POST + b"Content-Length : 5\r\n\r\nhello" + _BEHIND,
    "space before the coding's colon": _POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + _BEHIND,
    "folded field": _KEY + H + b"X-A: b\r\n c\r\n\r\n",
    "folded first field": _KEY + b" X-A: b\r\n" + H + b"\r\n",
    "bare LF": b"GET /key?canary HTTP/1.1\nHost: front.test\n\n\r\n\r\n",
    "LF in a value": _KEY + H + b"X-A: b\nX-B: c\r\n\r\n",
    "CR in a value": _KEY + H + b"X-A: b\rX-B: c\r\n\r\n",
    "NUL in a value": _KEY + H + b"X-A: b\0c\r\n\r\n",
    "NUL in the target": b"GET /key?canary\0 HTTP/1.1\r\n" + H + b"\r\n",
    "no colon": _KEY + H + b"X-A\r\n\r\n",
    "empty name": _KEY + H + b": b\r\n\r\n",
    "odd name": _KEY + H + b"X(A): b\r\n\r\n",
    "no host": _KEY + b"\r\n",
    "two hosts": _KEY + H + b"Host: elsewhere.test\r\n\r\n",
    "host with a path": _KEY + b"Host: front.test/key\r\n\r\n",
    "host with a user": _KEY + b"Host: a@front.test\r\n\r\n",
    "absolute form of another": b"GET http://elsewhere.test/key?canary HTTP/1.1\r\n" + H + b"\r\n",
    "CONNECT": b"CONNECT front.test:443 HTTP/1.1\r\n" + H + b"\r\n" + _BEHIND,
    "lower-case method": b"get /key?canary HTTP/1.1\r\n" + H + b"\r\n",
    "fragment": b"GET /key#?canary HTTP/1.1\r\n" + H + b"\r\n",
    "two spaces": b"GET  /key?canary HTTP/1.1\r\n" + H + b"\r\n",
    "no version": b"GET /key?canary\r\n" + H + b"\r\n",
    "HTTP/2.0": b"GET /key?canary HTTP/2.0\r\n" + H + b"\r\n",
    "HTTP/1.2": b"GET /key?canary HTTP/1.2\r\n" + H + b"\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "leading empty line": b"\r\n" + _KEY + H + b"\r\n",
    "TLS in TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 64 + b"\r\n\r\n",
    "a head without end": _KEY + H + b"X-A: " + b"a" * 40_000,
    "101 fields": _KEY + H + b"X-A: b\r\n" * 101 + b"\r\n",
    "upgrade with a body": b"POST /ts2021?canary HTTP/1.1\r\n"
    + H
    + b"Connection: upgrade\r\nUpgrade: tailscale-control-protocol\r\nContent-Length: 5\r\n\r\nhello",
}


def rows() -> Rows:
    yield "GET /key", _key
    for path in SHUT:
        yield f"no such path: {path.decode()}", _shut(path)
    for name, data in MALFORMED.items():
        yield f"refused: {name}", _refused(data)
    yield "a foreign host is 421", _foreign_host
    yield "requests in one segment", _pipeline
    yield "a body, then a request, in one segment", _pipelined_body
    yield "a byte at a time", _bytewise
    yield "cookies of one visitor never become another's", _cookies
    yield "what is not for headscale does not reach it", _fields
    yield "HEAD, 204 and 304 have no body", _bodiless
    yield "HTTP/1.0 and Connection: close", _closing


def _key(case: Case) -> None:
    answer = case.get(b"/key?v=138")
    must(answer.status == 200 and b"publicKey" in answer.body, f"{answer}")


def _shut(path: bytes) -> Check:
    def check(case: Case) -> None:
        answer = case.get(path + b"?canary")
        must(answer.status in (400, 404), f"{answer.status}")
        case.no_canary()

    return check


def _refused(data: bytes) -> Check:
    def check(case: Case) -> None:
        answer, ended = case.ask(data)
        must(answer.status == 0 or 400 <= answer.status < 600, f"answered {answer.status}")
        must(ended, f"{answer.status}, and the connection goes on")
        case.no_canary()

    return check


def _foreign_host(case: Case) -> None:
    answer, _ = case.ask(b"GET /key?canary HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n")
    must((answer.status, answer.body) == (421, b""), f"{answer}")
    case.no_canary()


def _say(text: bytes) -> bytes:
    return b"GET " + FREE + b"?mode=say&text=" + text + b" HTTP/1.1\r\n" + H + b"\r\n"


def _pipeline(case: Case) -> None:
    with case.visitor() as visitor:
        visitor.send(b"".join(_say(b"n%d" % number) for number in range(60)))
        for number in range(60):
            must(visitor.answer().body == b"n%d" % number, f"answer {number} is another's")


def _pipelined_body(case: Case) -> None:
    with case.visitor() as visitor:
        post = b"POST " + CONFIRM + b" HTTP/1.1\r\n" + H + b"Content-Length: 40\r\n\r\n" + b"GET /key HTTP/1.1\r\n".ljust(40, b"x")
        visitor.send(post + _say(b"behind"))
        report = json.loads(visitor.answer().body)
        must(report["read"] == 40 and report["digest"], f"{report}")
        must(visitor.answer().body == b"behind", "the request behind a body was lost")


def _bytewise(case: Case) -> None:
    with case.visitor() as visitor:
        chunked = b"POST " + CONFIRM + b" HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        for byte in chunked + _say(b"slowly"):
            visitor.send(bytes([byte]))
        must(json.loads(visitor.answer().body)["read"] == 5, "the body was not five bytes")
        must(visitor.answer().body == b"slowly", "the second request was lost")


def _cookies(case: Case) -> None:
    """Also when the rest of the head is byte for byte the same, twice in a row, and when only Authorization differs."""
    cookies = ("a=1", "a=2", "", "a=1", "__Host-hsadmin=ours", "a=3; __Host-hsadmin=ours", "a=1", "a=1")
    with case.visitor() as visitor:
        for cookie in cookies * 3:
            fields = f"Cookie: {cookie}\r\nAuthorization: Bearer canary\r\n".encode() if cookie else b""
            visitor.send(b"GET " + PAGE + b" HTTP/1.1\r\n" + H + fields + b"\r\n")
            seen = json.loads(visitor.answer().body)["fields"]
            wanted = cookie.partition("; ")[0] if not cookie.startswith("__") else ""
            must(seen.get("Cookie", [""]) == [wanted], f"sent {cookie!r}, headscale got {seen.get('Cookie')}")
    case.no_canary()


def _fields(case: Case) -> None:
    names = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "X-Drop", "TE", "Authorization", "Keep-Alive", "X-Original-URL")
    fields = b"".join(f"{name}: canary\r\n".encode() for name in names) + b"Connection: keep-alive, X-Drop\r\nUser-Agent: bench\r\n"
    report = json.loads(case.get(FREE, fields).body)
    must(report["fields"].get("User-Agent") == ["bench"], f"{report}")
    must(CANARY.decode() not in str(report["fields"]), f"{report}")


def _bodiless(case: Case) -> None:
    with case.visitor() as visitor:
        visitor.send(b"HEAD /derp/probe?mode=say&text=hello HTTP/1.1\r\n" + H + b"\r\n" + _say(b"one"))
        must(visitor.answer(to_head=True).status == 200, "HEAD")
        must(visitor.answer().body == b"one", "behind HEAD")
        for status in (204, 304):
            visitor.send(b"GET " + FREE + b"?mode=status&status=%d HTTP/1.1\r\n" % status + H + b"\r\n" + _say(b"two"))
            must(visitor.answer().status == status, f"{status}")
            must(visitor.answer().body == b"two", f"behind {status}")


def _closing(case: Case) -> None:
    request = b"GET /key HTTP/1.%d\r\n" + H + b"%b\r\n"
    for minor, field, ends in (
        (0, b"", True),
        (0, b"Connection: keep-alive\r\n", False),
        (1, b"Connection: close\r\n", True),
        (1, b"", False),
    ):
        answer, ended = case.ask(request % (minor, field))
        must(answer.status == 200 and ended is ends, f"HTTP/1.{minor} {field!r}: {answer.status}, ended {ended}")
