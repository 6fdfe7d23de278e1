"""A visitor who looks closely: raw bytes over TLS out, strictly read answers in."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from bench.processes import HOST
from bench.product import Product
from bench.tools import NAME

PATIENCE = 15.0
HOST_FIELD = f"Host: {NAME}\r\n".encode()
ID = b"hskey-authreq-" + b"a" * 24
CONFIRM = b"/register/confirm/" + ID  # takes a body
PAGE = b"/register/" + ID  # takes cookies
FREE = b"/windows"  # takes nothing, and a query
CANARY = b"canary"  # must never be seen by the upstream

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Wrong(AssertionError):
    """What a check found."""


def must(good: object, words: str) -> None:
    if not good:
        raise Wrong(words)


class Answer(NamedTuple):
    """`status` 0: the connection ended before a head. `whole`: its body came to its announced end."""

    status: int
    fields: Mapping[str, str]
    body: bytes = b""
    whole: bool = True


class Visitor:
    """One connection."""

    def __init__(self, port: int, *, context: ssl.SSLContext | None = None, receive_buffer: int = 0) -> None:
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(PATIENCE)
        raw.connect((HOST, port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = (context or tls()).wrap_socket(raw, server_hostname=NAME)
        self.kept = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def attempt(self, data: bytes) -> None:
        """Sends what the other side may no longer want."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise Wrong(f"silence; so far {self.kept[:80]!r}") from None
        except OSError:
            return False
        self.kept += data
        return bool(data)

    def exactly(self, size: int) -> bytes:
        """The next bytes; fewer when the connection ends."""
        while len(self.kept) < size and self._more():
            pass
        found, self.kept = self.kept[:size], self.kept[size:]
        return found

    def line(self) -> bytes:
        while b"\r\n" not in self.kept and self._more():
            pass
        found, _, self.kept = self.kept.partition(b"\r\n")
        return found

    def ended(self) -> bool:
        """Whether nothing more comes; waits for it."""
        return not self.kept and not self._more()

    def rest(self) -> bytes:
        while self._more():
            pass
        found, self.kept = self.kept, b""
        return found

    def head(self) -> Answer:
        """An answer's head alone, interim ones too."""
        while b"\r\n\r\n" not in self.kept:
            if not self._more():
                must(not self.kept, f"the connection ended in a head: {self.kept[:80]!r}")
                return Answer(0, {})
        head, _, self.kept = self.kept.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        must(re.fullmatch(r"HTTP/1\.1 \d{3} [^\x00-\x1f]*", first), f"odd status line {first!r}")
        fields: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            must(colon and re.fullmatch(r"[A-Za-z0-9-]+", name), f"odd field line {line!r}")
            fields[name.lower()] = value.strip()
        return Answer(int(first[9:12]), fields)

    def answer(self, *, to_head: bool = False) -> Answer:
        """The next final answer, whole."""
        found = self.head()
        while 100 <= found.status < 200 and found.status != 101:
            found = self.head()
        coded = found.fields.get("transfer-encoding")
        must(not coded or "content-length" not in found.fields, "a length beside a coding")
        if to_head or found.status in (0, 101, 204, 304):
            return found
        if coded:
            body, whole = self._chunks()
            return found._replace(body=body, whole=whole)
        if "content-length" in found.fields:
            size = int(found.fields["content-length"])
            body = self.exactly(size)
            return found._replace(body=body, whole=len(body) == size)
        return found._replace(body=self.rest())

    def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        while True:
            size = self.line()
            if not _SIZE.fullmatch(size):
                must(not size, f"odd chunk size {size!r}")
                return body, False
            count = int(size, 16)
            chunk = self.exactly(count)
            body += chunk
            if len(chunk) < count or self.exactly(2) != b"\r\n":
                return body, False
            if not count:
                return body, True

    def reset(self) -> None:
        """Leaves as a crashed machine does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.socket.close()


def tls(*alpn: str, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client's context; without names it offers http/1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    if "" not in alpn:
        context.set_alpn_protocols(list(alpn) or ["http/1.1"])
    return context


class Case:
    """What a check is given: the product, and ways to it."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.port = product.port

    @contextlib.contextmanager
    def visitor(self, context: ssl.SSLContext | None = None, *, receive_buffer: int = 0) -> Iterator[Visitor]:
        visitor = Visitor(self.port, context=context, receive_buffer=receive_buffer)
        with contextlib.closing(visitor):
            yield visitor

    def ask(self, data: bytes) -> tuple[Answer, bool]:
        """The answer to these bytes on a connection of their own, and whether that ended behind it by itself."""
        with self.visitor() as visitor:
            visitor.attempt(data)
            answer = visitor.answer()
            if answer.status == 0:
                return answer, True
            visitor.socket.settimeout(0.3)
            try:
                return answer, visitor.ended()
            except Wrong:
                return answer, False

    def get(self, target: bytes, fields: bytes = b"") -> Answer:
        with self.visitor() as visitor:
            return self._on(visitor, b"GET " + target + b" HTTP/1.1\r\n" + HOST_FIELD + fields + b"\r\n")

    def in_order(self, rounds: int = 12) -> None:
        """Whatever came before, answers still belong to their questions, on new connections and on one that is kept."""
        with self.visitor() as kept:
            for number in range(rounds):
                text = b"number-%d" % number
                target = FREE + b"?mode=say&text=" + text
                for answer in (self.get(target), self._on(kept, b"GET " + target + b" HTTP/1.1\r\n" + HOST_FIELD + b"\r\n")):
                    must((answer.status, answer.body) == (200, text), f"asked for {text!r}, got {answer.status} {answer.body[:60]!r}")

    @staticmethod
    def _on(visitor: Visitor, request: bytes) -> Answer:
        visitor.send(request)
        return visitor.answer()

    def no_canary(self) -> None:
        """Nothing that should have stopped at the front has reached the upstream."""
        for entry in self.product.journal():
            must(CANARY.decode() not in f"{entry['target']} {entry['fields']} {entry['after']}", f"the upstream saw {entry}")


Check = Callable[[Case], None]
Rows = Iterator[tuple[str, Check]]
