"""Heads: bytes -> RequestHead or ResponseHead, or None while more bytes are needed, or Refused.

One expression (see `syntax`) proves the head well formed; then the fields are split, names lower-cased once, and what frames the message is
judged. Whoever holds a RequestHead may rely on: exactly one sane Host; at most one length, or else exactly `chunked`; no body beside an
upgrade; one value for every field that may have one only. Nobody looks at the bytes again.

A leading empty line is refused, not skipped. Absolute form is taken when it names the same authority as Host does, and is then as if the path
had been sent. The limits count from the first byte: 16 KiB, 100 fields, 8 KiB for the target.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from hsadmin.front.syntax import (
    FIELD,
    MAX_FIELDS,
    MAX_HEAD,
    MAX_TARGET,
    REFUSED_METHODS,
    REQUEST,
    REQUEST_LINE,
    RESPONSE,
    STATUS_LINE,
    Bytes,
    Refused,
    first_fault,
)

__all__ = ["MAX_FIELDS", "MAX_HEAD", "MAX_TARGET", "Refused", "RequestHead", "ResponseHead", "parse_request", "parse_response"]

Fields = tuple[tuple[bytes, bytes], ...]


class RequestHead(NamedTuple):
    """What a visitor asks. Names are lower-case, values stripped; `host` is lower-case, without port, IPv6 in its brackets."""

    method: bytes
    path: bytes  # raw, without query
    query: bytes  # b"" or with its "?"
    minor: int  # HTTP/1.minor
    host: bytes
    fields: Fields  # in order, as sent
    values: Mapping[bytes, bytes]  # by name; repeated fields joined
    length: int  # body bytes announced; 0 when none, or when chunked
    chunked: bool
    keep_alive: bool
    upgrade: bytes  # the one protocol asked for, lower-case, when Connection says so too; else b""
    expect_continue: bool
    size: int  # bytes of the head itself

    def get(self, name: bytes) -> bytes | None:
        """The value of a field by lower-case name; what may be repeated is joined with ", " (cookies with "; ")."""
        return self.values.get(name)

    @property
    def has_body(self) -> bool:
        return self.chunked or self.length > 0


class ResponseHead(NamedTuple):
    """What an upstream answers. `length`: body bytes that follow, None when only chunks or the end of the connection tell."""

    status: int
    minor: int
    reason: bytes
    fields: Fields
    values: Mapping[bytes, bytes]
    length: int | None
    chunked: bool
    until_close: bool
    keep_alive: bool
    upgrade: bytes
    size: int

    def get(self, name: bytes) -> bytes | None:
        return self.values.get(name)


_HOST = re.compile(rb"([A-Za-z0-9_](?:[A-Za-z0-9\-._]{0,252}[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_UPGRADE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?")
_FRAMING = frozenset((b"transfer-encoding", b"connection", b"expect"))

# Fields of which a second one makes readers pick differently; what else is repeated is a list, or means nothing to us and goes nowhere.
_SINGLE: Mapping[bytes, str] = {
    b"host": "several-hosts",
    b"content-length": "several-lengths",
    b"transfer-encoding": "odd-coding",
    **dict.fromkeys(
        (
            b"authorization",
            b"content-disposition",
            b"content-encoding",
            b"content-range",
            b"content-type",
            b"date",
            b"derp-fast-start",
            b"etag",
            b"expect",
            b"from",
            b"ideal-node",
            b"idempotency-key",
            b"if-modified-since",
            b"if-range",
            b"if-unmodified-since",
            b"last-event-id",
            b"last-modified",
            b"location",
            b"max-forwards",
            b"origin",
            b"proxy-authorization",
            b"range",
            b"referer",
            b"retry-after",
            b"sec-fetch-dest",
            b"sec-fetch-mode",
            b"sec-fetch-site",
            b"sec-fetch-user",
            b"sec-websocket-accept",
            b"sec-websocket-key",
            b"sec-websocket-version",
            b"upgrade-insecure-requests",
            b"user-agent",
            b"x-csrf-token",
            b"x-tailscale-handshake",
        ),
        "repeated-field",
    ),
}


def parse_request(data: Bytes) -> RequestHead | None:
    """The head at the start of `data`; None when more bytes are needed and what is there can still become good. Raises Refused."""
    found = REQUEST.match(data, 0, MAX_HEAD)
    if found is None:
        if rule := first_fault(data, REQUEST_LINE):
            raise Refused(rule)
        return None
    method, path, authority, absolute_path, query, minor, block = found.groups()
    if method in REFUSED_METHODS:
        raise Refused(REFUSED_METHODS[method])
    if found.start(6) - 8 - found.end(1) - 1 > MAX_TARGET:
        raise Refused("target-too-long")
    fields, values = _split(block)
    host = _host(values.get(b"host"))
    if path is None:
        path = absolute_path or b"/"
        if authority.lower() != values[b"host"].lower():
            raise Refused("other-authority")
    length = _length(values.get(b"content-length")) or 0
    modern = minor == b"1"
    chunked = expect = False
    keep_alive, upgrade = modern, b""
    if not _FRAMING.isdisjoint(values):
        chunked = _chunked(values, modern=modern)
        keep_alive, upgrade = _connection(values, modern=modern)
        if upgrade and (chunked or length):
            raise Refused("upgrade-with-body")
        if modern and b"expect" in values:
            if values[b"expect"].lower() != b"100-continue":
                raise Refused("odd-expectation")
            expect = True
    return RequestHead(
        method, path, query or b"", int(modern), host, fields, values, length, chunked, keep_alive, upgrade, expect, found.end()
    )


def parse_response(data: Bytes, *, to_head_request: bool) -> ResponseHead | None:
    """As `parse_request`, for what an upstream sends; every refusal has status 502, which no visitor is ever told."""
    found = RESPONSE.match(data, 0, MAX_HEAD)
    if found is None:
        if rule := first_fault(data, STATUS_LINE):
            raise Refused(rule, 502)
        return None
    minor, code, reason, block = found.groups()
    status, modern = int(code), minor == b"1"
    try:
        fields, values = _split(block)
        length = _length(values.get(b"content-length"))
        chunked = _chunked(values, modern=modern)
    except Refused as refused:
        raise Refused(refused.rule, 502) from None
    keep_alive, upgrade = _connection(values, modern=modern)
    if to_head_request or status < 200 or status in (204, 304):
        length, chunked = 0, False
    until_close = length is None and not chunked
    keep_alive = keep_alive and not until_close
    return ResponseHead(status, int(modern), reason, fields, values, length, chunked, until_close, keep_alive, upgrade, found.end())


def _split(block: bytes) -> tuple[Fields, dict[bytes, bytes]]:
    fields = tuple([(name.lower(), value.rstrip(b" \t")) for name, value in FIELD.findall(block)])
    values = dict(fields)
    return fields, values if len(values) == len(fields) else _joined(fields)


def _joined(fields: Fields) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for name, value in fields:
        if name not in values:
            values[name] = value
        elif name in _SINGLE:
            raise Refused(_SINGLE[name])
        else:
            values[name] += (b"; " if name == b"cookie" else b", ") + value
    return values


def _host(value: bytes | None) -> bytes:
    if value is None:
        raise Refused("no-host")
    found = _HOST.fullmatch(value)
    if found is None:
        raise Refused("odd-host")
    return found[1].lower()


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not _LENGTH.fullmatch(value):
        raise Refused("odd-length")
    return int(value)


def _chunked(values: Mapping[bytes, bytes], *, modern: bool) -> bool:
    coding = values.get(b"transfer-encoding")
    if coding is None:
        return False
    if b"content-length" in values:
        raise Refused("length-beside-coding")
    if not modern:
        raise Refused("coding-in-1.0")
    if coding.lower() != b"chunked":
        raise Refused("odd-coding")
    return True


def _connection(values: Mapping[bytes, bytes], *, modern: bool) -> tuple[bool, bytes]:
    """Whether the connection outlives the message, and the protocol to upgrade to. HTTP/1.0 knows no upgrades (RFC 9110 7.8)."""
    said = values.get(b"connection")
    if said is None:
        return modern, b""
    options = {option.strip(b" \t") for option in said.lower().split(b",")}
    keep_alive = b"close" not in options and (modern or b"keep-alive" in options)
    upgrade = values.get(b"upgrade", b"") if modern and b"upgrade" in options else b""
    return keep_alive, upgrade.lower() if _UPGRADE.fullmatch(upgrade) else b""
