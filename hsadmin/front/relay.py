"""Heads written anew, both ways: nothing passes that is not known to belong there.

Upstream: the table's spelling of the path, the visitor's query, the fields of the route's allowlist, our framing. headscale is told nothing about
the visitor's address; the console is told one address and one scheme, ours. Downstream: no hop-by-hop field, no name of the software, cookies in
order, and what keeps pages of two programs on one origin apart.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hsadmin.front.answers import HSTS
from hsadmin.front.head import RequestHead, ResponseHead
from hsadmin.front.routes import Route, Target

Field = tuple[bytes, bytes]

OUR_COOKIES = b"__host-hsadmin"  # compared in lower case: browsers take `__host-` for the prefix as well
# headscale's pages: inline styles, an inline picture, at most one form that posts to itself; no script at all
PAGE_POLICY = (
    b"default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DATA_POLICY = b"default-src 'none'; frame-ancestors 'none'"

_UPGRADE_SPELLING = {b"derp": b"DERP"}
_FROM_HEADSCALE = frozenset(
    (
        b"access-control-allow-origin",
        b"allow",
        b"cache-control",
        b"content-disposition",
        b"content-type",
        b"date",
        b"derp-public-key",
        b"derp-version",
        b"etag",
        b"last-modified",
        b"location",
        b"pragma",
        b"retry-after",
        b"sec-websocket-accept",
        b"sec-websocket-protocol",
        b"sec-websocket-version",
        b"set-cookie",
        b"vary",
    )
)
_NOT_FROM_CONSOLE = frozenset(
    (
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"server",
        b"strict-transport-security",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"via",
    )
)
_SPELLING = {
    name.lower(): name
    for name in (
        b"ETag",
        b"WWW-Authenticate",
        b"X-CSRF-Token",
        b"Sec-WebSocket-Accept",
        b"Sec-WebSocket-Key",
        b"Sec-WebSocket-Protocol",
        b"Sec-WebSocket-Version",
    )
}


class Relayed(NamedTuple):
    """A head for the visitor. `chunk`: the payload goes through `body.as_chunk` and ends with LAST_CHUNK. `close`: nothing may follow."""

    head: bytes
    chunk: bool
    close: bool


def upstream_head(route: Route, path: bytes, head: RequestHead, *, client: str, scheme: str, host: bytes) -> bytes:
    """`path` with query; `host` is what the upstream gets to see as Host; `client` and `scheme` reach the console only."""
    lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (head.method, path, host)]
    forward = route.forward - _nominated(head)
    for name, value in head.fields:
        if name in forward and (passed := cookies_for(route.target, value) if name == b"cookie" else value):
            lines.append(b"%b: %b\r\n" % (_spelled(name), passed))
    if route.upgrade:
        lines.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n" % _UPGRADE_SPELLING.get(route.upgrade, route.upgrade))
    if head.chunked:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    elif head.length or head.method not in (b"GET", b"HEAD"):
        lines.append(b"Content-Length: %d\r\n" % head.length)
    if route.target is Target.CONSOLE:
        lines.append(b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\n" % (client.encode(), scheme.encode()))
    lines.append(b"\r\n")
    return b"".join(lines)


def switched(route: Route, response: ResponseHead) -> bool:
    """Whether this 101 begins what was asked. headscale takes a websocket without subprotocol for plain DERP: such a mismatch must not pass."""
    return (
        response.status == 101
        and response.upgrade == route.upgrade != b""
        and (not route.websocket_protocol or response.get(b"sec-websocket-protocol") == route.websocket_protocol)
    )


def downstream_head(route: Route, head: RequestHead, response: ResponseHead, *, tls: bool, hsts: bool, close: bool) -> Relayed:
    """`tls`: the visitor's side is encrypted, cookies may be Secure. `close`: the connection is to end anyway."""
    lines = [b"HTTP/1.1 %d %b\r\n" % (response.status, response.reason)]
    lines += [b"%b: %b\r\n" % (_spelled(name), value) for name, value in downstream_fields(route, response, tls=tls, hsts=hsts)]
    if response.status == 101:
        lines.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % _UPGRADE_SPELLING.get(route.upgrade, route.upgrade))
        return Relayed(b"".join(lines), chunk=False, close=False)
    bodiless = head.method == b"HEAD" or response.status in (204, 304)
    chunk = False
    if bodiless:
        if response.status != 204 and (announced := response.get(b"content-length")) is not None:
            lines.append(b"Content-Length: %b\r\n" % announced)
    elif response.length is not None:
        lines.append(b"Content-Length: %d\r\n" % response.length)
    elif head.minor:
        chunk = True
        lines.append(b"Transfer-Encoding: chunked\r\n")
    else:
        close = True
    close = close or not head.keep_alive
    if close:
        lines.append(b"Connection: close\r\n")
    elif not head.minor:
        lines.append(b"Connection: keep-alive\r\n")
    lines.append(b"\r\n")
    return Relayed(b"".join(lines), chunk, close)


def downstream_fields(route: Route, response: ResponseHead, *, tls: bool, hsts: bool) -> list[Field]:
    """The fields of an answer that are for the visitor, without framing."""
    fields: list[Field] = []
    if route.target is Target.HEADSCALE:
        for name, value in response.fields:
            if name in _FROM_HEADSCALE and (passed := cookie_from_headscale(value, tls=tls) if name == b"set-cookie" else value):
                fields.append((name, passed))
        if response.status != 101:
            html = (response.get(b"content-type") or b"").lower().startswith(b"text/html")
            fields.append((b"content-security-policy", PAGE_POLICY if html else DATA_POLICY))
            fields.append((b"x-content-type-options", b"nosniff"))
            fields.append((b"referrer-policy", b"no-referrer"))
            fields.append((b"x-frame-options", b"DENY"))
    else:
        fields += [field for field in response.fields if field[0] not in _NOT_FROM_CONSOLE]
    if hsts and response.status != 101:
        fields.append((b"strict-transport-security", HSTS))
    return fields


def cookies_for(target: Target, value: bytes) -> bytes:
    """The cookies of a Cookie field that are `target`'s: ours for the console, all others for headscale; b"" when none is."""
    ours = target is Target.CONSOLE
    pairs = (pair.strip(b" \t") for pair in value.split(b";"))
    return b"; ".join(pair for pair in pairs if pair and pair.lower().startswith(OUR_COOKIES) is ours)


def cookie_from_headscale(value: bytes, *, tls: bool) -> bytes:
    """A Set-Cookie of headscale as the visitor may get it: never one of ours (b"" then); Secure under TLS, which 0.29 forgets behind a front."""
    name, *attributes = (part.strip(b" \t") for part in value.split(b";"))
    if name.lstrip(b"= \t").lower().startswith(OUR_COOKIES):
        return b""
    if tls and b"secure" not in [attribute.lower() for attribute in attributes]:
        return value.rstrip(b"; \t") + b"; Secure"
    return value


_TRIVIAL = re.compile(rb"(?i:upgrade|close|keep-alive|keep-alive, *upgrade)")


def _nominated(head: RequestHead) -> frozenset[bytes]:
    """Fields that the visitor declared to be for this hop alone (RFC 9110 7.6.1)."""
    said = head.get(b"connection")
    if said is None or _TRIVIAL.fullmatch(said):
        return frozenset()
    return frozenset(option.strip(b" \t") for option in said.lower().split(b","))


def _spelled(name: bytes) -> bytes:
    return _SPELLING.get(name) or name.title()
