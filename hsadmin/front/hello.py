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
from typing import NamedTuple

MAX_HELLO = 64 * 1024  # bytes, record headers included
MAX_RECORDS = 64  # a hello of tiny records would be read again and again

_HANDSHAKE_RECORD = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_ALPN = 16
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


class _Reader:
    """Takes pieces off the front of `data`; more than there is is a refusal."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise Refused("odd-length")
        return self._data[start : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def block(self, size: int) -> bytes:
        """What follows its own length, written in `size` bytes."""
        return self.take(self.number(size))


def _parse(body: bytes) -> Hello:
    reader = _Reader(body)
    reader.take(2 + 32)  # version and random
    reader.block(1)  # session id
    reader.block(2)  # suites
    reader.block(1)  # compressions
    name: str | None = None
    alpn: tuple[str, ...] = ()
    if reader:
        extensions = _Reader(reader.block(2))
        if reader:
            raise Refused("odd-length")
        seen = set()
        while extensions:
            kind, content = extensions.number(2), extensions.block(2)
            if kind in seen:
                raise Refused("repeated-extension")
            seen.add(kind)
            if kind == _SERVER_NAME:
                name = _server_name(content)
            elif kind == _ALPN:
                alpn = _protocols(content)
    return Hello(name, alpn)


def _server_name(content: bytes) -> str | None:
    names = _Reader(_Reader(content).block(2))
    found = None
    while names:
        kind, name = names.number(1), names.block(2)
        if kind == 0 and found is None and _HOST_NAME.fullmatch(name):
            found = name.decode("ascii").lower()
    return found


def _protocols(content: bytes) -> tuple[str, ...]:
    names = _Reader(_Reader(content).block(2))
    offered = []
    while names:
        offered.append(names.block(1).decode("latin-1"))
    return tuple(offered)
