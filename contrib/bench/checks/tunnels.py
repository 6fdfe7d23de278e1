"""Tunnels: not a byte before 101, every byte after it, and an end that both sides see."""

from __future__ import annotations

import contextlib
import hashlib
import random
import select
import ssl
import time

from bench.checks.visitor import HOST_FIELD, Case, Check, Rows, Visitor, must

H = HOST_FIELD
_UPGRADES = {"ts2021": (b"POST", b"tailscale-control-protocol"), "derp": (b"GET", b"DERP")}
MIB = 1 << 20


def request(route: str, mode: str = "echo", more: bytes = b"") -> bytes:
    method, protocol = _UPGRADES[route]
    length = b"Content-Length: 0\r\n" if method == b"POST" else b""
    target = f"/{route}?mode={mode}".encode()
    return (
        method + b" " + target + b" HTTP/1.1\r\n" + H + length + b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n" + more + b"\r\n"
    )


def rows() -> Rows:
    for route in _UPGRADES:
        yield f"{route}: 24 MiB of random bytes in odd pieces", _echo(route, 24 * MIB, 262144)
        yield f"{route}: a slow reader", _echo(route, 4 * MIB, 1024)
        yield f"{route}: nothing goes before 101, all of it after", _early(route)
        yield f"{route}: no tunnel, an ordinary answer, and the end", _declined(route)
        yield f"{route}: the upstream's end is the visitor's", _upstream_ends(route)
    yield "a DERP fast start is not told of its 101", _fast_start
    yield "another protocol opens no tunnel", _other_protocol
    yield "a reader who stalls keeps nobody waiting, and gets all", _stalled
    yield "visitors who leave their tunnels", _leave


def _echo(route: str, total: int, largest_read: int) -> Check:
    def check(case: Case) -> None:
        with case.visitor() as visitor:
            visitor.send(request(route))
            must(visitor.answer().status == 101, "no 101")
            sent, got = _there_and_back(visitor, total, largest_read)
            must(sent == got, "other bytes came back")

    return check


def _there_and_back(visitor: Visitor, total: int, largest_read: int) -> tuple[str, str]:
    """Digests of what was sent and of what came back; reads and writes as the socket allows, so that neither side waits for the other."""
    line = visitor.socket
    line.setblocking(False)
    sent, got = hashlib.sha256(), hashlib.sha256()
    left, back, waiting, end = total, 0, b"", time.monotonic() + 60
    while back < total:
        must(time.monotonic() < end, f"{back} of {total} bytes in a minute")
        if not line.pending():
            select.select([line], [line] if waiting or left else [], [], 5)
        if left and not waiting:
            waiting = random.randbytes(min(left, random.choice((1, 17, 1024, 16384, 100_000))))
            sent.update(waiting)
            left -= len(waiting)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if waiting:
                waiting = waiting[line.send(waiting) :]
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = line.recv(largest_read)
            must(data, f"the tunnel ended after {back} bytes")
            got.update(data)
            back += len(data)
    return sent.hexdigest(), got.hexdigest()


def _early(route: str) -> Check:
    early = b"GET /windows?canary HTTP/1.1\r\n" + H + b"\r\n"

    def check(case: Case) -> None:
        case.no_canary()
        with case.visitor() as visitor:
            visitor.send(request(route, "peek") + early)
            must(visitor.answer().status == 101, "no 101")
            expected = b"before=0\n" + early
            found = visitor.exactly(len(expected))
            must(found == expected, f"{found!r}")
        case.no_canary()

    return check


def _declined(route: str) -> Check:
    def check(case: Case) -> None:
        with case.visitor() as visitor:
            visitor.send(request(route, "decline") + b"GET /windows?canary HTTP/1.1\r\n" + H + b"\r\n")
            answer = visitor.answer()
            must((answer.status, answer.body) == (403, b"no tunnel\n"), f"{answer}")
            must(visitor.ended(), "the connection goes on")
        case.no_canary()
        case.in_order(2)

    return check


def _upstream_ends(route: str) -> Check:
    def check(case: Case) -> None:
        with case.visitor() as visitor:
            visitor.send(request(route, "sink&total=1000"))
            must(visitor.answer().status == 101, "no 101")
            visitor.send(b"x" * 1000)
            must(visitor.exactly(1) == b"\x01", "the last byte did not come")
            visitor.send(b"x")
            must(visitor.ended(), "more than the end came")

    return check


def _fast_start(case: Case) -> None:
    with case.visitor() as visitor:
        visitor.send(request("derp", "echo", b"Derp-Fast-Start: 1\r\n") + b"hello")
        found = visitor.exactly(5)
        must(found == b"hello", f"{found!r}")


def _other_protocol(case: Case) -> None:
    for protocol in (b"h2c", b"websocket", b"DERP, tailscale-control-protocol"):
        data = b"POST /ts2021?canary HTTP/1.1\r\n" + H + b"Content-Length: 0\r\nConnection: upgrade\r\nUpgrade: " + protocol + b"\r\n\r\n"
        answer, _ = case.ask(data)
        must(answer.status in (400, 404, 426), f"{protocol!r}: {answer.status}")
    case.no_canary()


def _stalled(case: Case) -> None:
    total = 16 * MIB
    with case.visitor(receive_buffer=16384) as stalled:
        stalled.send(request("ts2021", f"source&total={total}"))
        must(stalled.answer().status == 101, "no 101")
        stalled.send(b"x")
        time.sleep(0.5)
        began = time.monotonic()
        case.in_order(5)
        must(time.monotonic() - began < 5, "others waited")
        left = total - len(stalled.kept)
        while left:
            data = stalled.socket.recv(262144)
            must(data, f"{left} bytes are missing")
            left -= len(data)


def _leave(case: Case) -> None:
    for number in range(20):
        with case.visitor() as visitor:
            visitor.send(request("ts2021" if number % 2 else "derp"))
            must(visitor.answer().status == 101, "no 101")
            visitor.send(b"x" * 1000)
            if number % 3 == 0:
                visitor.reset()
    case.in_order(3)
