"""The first words of a TLS client, read before anything of TLS is decided: bytes -> Hello, or how many bytes are needed, or Refused.

    record*        type 22, version 3.x, length; a hello may span several
      handshake    type 1, 24-bit length
        version, random, session id, suites, compressions
        extension* of which two are read: server_name (RFC 6066) and ALPN (RFC 7301)

This reader only chooses a certificate. OpenSSL reads the same bytes again and decides about everything else, so nothing that is agreed on depends on
what is said here. Every length is checked against what encloses it; names that are no host names count as none, for OpenSSL to judge.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

MAX_HELLO = 64 * 1024  # bytes, record headers included
MAX_RECORDS = 64  # a hello of tiny records would be read again and again

_HANDSHAKE_RECORD = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_ALPN = 16
_READ = (_SERVER_NAME, _ALPN)
_EXTENSION = struct.Struct(">HH").unpack_from
_HOST_NAME = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]{0,253}[A-Za-z0-9_])?")


class Refused(Exception):
    """These bytes do not begin a TLS connection; `rule` is a fixed word."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class Hello(NamedTuple):
    """`server_name` is lower-case; protocols are what the client offers, in its order, byte for character (they need not be text)."""

    server_name: str | None
    alpn: tuple[str, ...]


def read_hello(data: bytes) -> Hello | int:
    """The hello at the start of `data`, or the least number of bytes without which nothing more can be said. Raises Refused."""
    message = b""
    wanted = 4
    at = 0
    for _ in range(MAX_RECORDS):
        header = data[at : at + 5]
        if header and header[0] != _HANDSHAKE_RECORD:
            raise Refused("not-tls")
        if len(header) > 1 and header[1] != 3:
            raise Refused("odd-version")
        if len(header) < 5:
            return _need(at + 5)
        length = int.from_bytes(header[3:5], "big")
        if not 0 < length <= 16 * 1024:
            raise Refused("odd-record")
        end = at + 5 + length
        message += data[at + 5 : end]
        if message[:1] not in (b"", b"\x01"):
            raise Refused("no-hello")
        if len(message) >= 4:
            wanted = 4 + int.from_bytes(message[1:4], "big")
            if wanted > MAX_HELLO:
                raise Refused("hello-too-large")
            if len(message) >= wanted:
                return _parse(message[4:wanted])
        if len(data) < end:
            return _need(min(end, len(data) + wanted - len(message)))
        at = end
    raise Refused("hello-in-crumbs")


def _need(size: int) -> int:
    if size > MAX_HELLO:
        raise Refused("hello-too-large")
    return size


def _parse(body: bytes) -> Hello:
    """One walk without a copy: this runs for every connection, and takes a hundredth of its handshake."""
    size = len(body)
    name: str | None = None
    alpn: tuple[str, ...] = ()
    try:
        at = 34  # behind version and random
        at += 1 + body[at]  # session id
        at += 2 + (body[at] << 8 | body[at + 1])  # suites
        at += 1 + body[at]  # compressions
        if at == size:
            return Hello(None, ())  # no extensions, as before TLS 1.2
        if at + 2 + (body[at] << 8 | body[at + 1]) != size:
            raise Refused("odd-length")
        at += 2
        seen = 0
        while at < size:
            kind, length = _EXTENSION(body, at)
            at, start = at + 4 + length, at + 4
            if at > size:
                raise Refused("odd-length")
            if kind in _READ:
                if seen & 1 << kind:
                    raise Refused("repeated-extension")
                seen |= 1 << kind
                if kind == _ALPN:
                    alpn = _protocols(body[start:at])
                else:
                    name = _server_name(body[start:at])
    except (IndexError, struct.error):
        raise Refused("odd-length") from None
    return Hello(name, alpn)


def _server_name(content: bytes) -> str | None:
    _check_list(content)
    found = None
    at = 2
    while at < len(content):
        start, kind = at + 3, content[at]
        at = start + (content[at + 1] << 8 | content[at + 2])
        if at > len(content):
            raise Refused("odd-length")
        if kind == 0 and found is None and _HOST_NAME.fullmatch(content, start, at):
            found = content[start:at].decode("ascii").lower()
    return found


def _protocols(content: bytes) -> tuple[str, ...]:
    _check_list(content)
    offered = []
    at = 2
    while at < len(content):
        start = at + 1
        at = start + content[at]
        if at > len(content):
            raise Refused("odd-length")
        offered.append(content[start:at].decode("latin-1"))
    return tuple(offered)


def _check_list(content: bytes) -> None:
    if len(content) < 2 or (content[0] << 8 | content[1]) != len(content) - 2:
        raise Refused("odd-length")
