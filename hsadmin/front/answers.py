"""What the front says itself. Bodies are empty wherever the words would tell a stranger what runs here."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

from hsadmin.front.syntax import Refused

Fields = tuple[tuple[bytes, bytes], ...]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HSTS = b"max-age=31536000"
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}


class OwnAnswer(NamedTuple):
    """An answer made here. `closes`: the connection cannot go on after it, whatever the visitor would like."""

    status: int
    fields: Fields = ()
    body: bytes = b""
    closes: bool = False

    def as_bytes(self, *, to_head: bool = False, close: bool = False, hsts: bool = False) -> bytes:
        """The whole answer; without its body for HEAD. `close` says that the connection ends (and `closes` says so by itself)."""
        lines = [b"HTTP/1.1 %d %b\r\nContent-Length: %d\r\n" % (self.status, _REASONS[self.status], len(self.body))]
        lines += [b"%b: %b\r\n" % field for field in self.fields]
        if hsts:
            lines.append(b"Strict-Transport-Security: %b\r\n" % HSTS)
        if close or self.closes:
            lines.append(b"Connection: close\r\n")
        lines.append(b"\r\n")
        if not to_head:
            lines.append(self.body)
        return b"".join(lines)


_SEALED: Fields = (
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
)

FORBIDDEN = OwnAnswer(403)
NOT_FOUND = OwnAnswer(404)
TIMED_OUT = OwnAnswer(408, closes=True)
BODY_TOO_LARGE = OwnAnswer(413, closes=True)
BAD_HANDSHAKE = OwnAnswer(400)
MISDIRECTED = OwnAnswer(421)
NOT_TLS = OwnAnswer(
    400,
    ((b"Content-Type", b"text/plain; charset=utf-8"),),
    b"This port speaks TLS: write https:// at the front of the address.\n",
    closes=True,
)
BUSY = OwnAnswer(429, ((b"Retry-After", b"1"),))

ROBOTS = OwnAnswer(
    200, ((b"Content-Type", b"text/plain; charset=utf-8"), (b"Cache-Control", b"max-age=86400"), *_SEALED), b"User-agent: *\nDisallow: /\n"
)
_DOT = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="#71717a"/></svg>\n'
FAVICON = OwnAnswer(200, ((b"Content-Type", b"image/svg+xml"), (b"Cache-Control", b"max-age=86400"), *_SEALED), _DOT)


def unavailable(retry_after: int = 1, *, closes: bool = False) -> OwnAnswer:
    """An upstream is away, or died before its first byte; seconds until it is worth another try."""
    return OwnAnswer(503, ((b"Retry-After", b"%d" % retry_after), (b"Cache-Control", b"no-store")), closes=closes)


def redirect(location: bytes, status: int = 302) -> OwnAnswer:
    return OwnAnswer(status, ((b"Location", location), (b"Cache-Control", b"no-store")))


def upgrade_required(protocol: bytes) -> OwnAnswer:
    return OwnAnswer(426, ((b"Connection", b"Upgrade"), (b"Upgrade", protocol)))


def method_not_allowed(methods: frozenset[bytes]) -> OwnAnswer:
    return OwnAnswer(405, ((b"Allow", b", ".join(sorted(methods))),))


def refusal(refused: Refused) -> OwnAnswer:
    """What a visitor is told whose bytes were refused: the status, nothing more; where the next message would begin nobody knows."""
    return OwnAnswer(refused.status, closes=True)
