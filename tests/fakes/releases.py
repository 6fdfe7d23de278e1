"""A world to resolve headscale in: a release host over TLS, an HTTP proxy, a headscale that is four lines of shell, a Go that compiles it.

`ReleaseHost` answers what it was told for a path, byte for byte, so that it can also lie, stall and break off.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import trustme
from OpenSSL.crypto import FILETYPE_PEM, load_certificate, load_privatekey
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.python.failure import Failure

from hsadmin.engine.pins import ModulePin, Pins, Platform, ReleasePins
from hsadmin.errors import Problem

T = TypeVar("T")
P = TypeVar("P", bound=Problem)

reactor: Any = installed_reactor

VERSION = "0.29.3"
PLATFORM = Platform("linux", "amd64")
MODULE = ModulePin(zip="h1:" + "z" * 43 + "=", mod="h1:" + "m" * 43 + "=")


def fake_headscale(version: str = "v0.29.3", *, note: str = "") -> bytes:
    """A program that answers `version -o json` as headscale does; `note` makes its hash another."""
    answer = json.dumps({"version": version, "commit": "unknown", "dirty": False})
    return f"#!/bin/sh\n# {note}\n[ \"$1 $2 $3\" = 'version -o json' ] || exit 64\necho '{answer}'\n".encode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pins(content: bytes = b"", *, asset: bool = True) -> Pins:
    """Pins for VERSION; `content` is what its asset is said to be."""
    assets = {"linux_amd64": digest(content or fake_headscale())} if asset else {}
    return {VERSION: ReleasePins(go="1.26.5", module=MODULE, assets=assets)}


def inline(work: Callable[[], T], /) -> Awaitable[T]:
    """An Offload without threads."""
    return succeed(work())


async def refusal(waiting: Awaitable[object], kind: type[P]) -> P:
    """The Problem that the wait ends with: of exactly this kind, in one printable sentence."""
    try:
        result = await waiting
    except kind as problem:
        if type(problem) is not kind or not problem.sentence.isprintable() or not problem.sentence.endswith("."):
            raise AssertionError(f"{type(problem).__name__}: {problem.sentence!r}") from problem
        return problem
    raise AssertionError(f"no {kind.__name__} but {result!r}")


class Sayings(list[str]):
    """A `say` that keeps what was said."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)

    @property
    def text(self) -> str:
        return "\n".join(self)


def answer(
    body: bytes, *, status: str = "200 OK", kind: str = "application/octet-stream", length: int | None = None, fields: str = ""
) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{fields}\r\n".encode() + body


class Authority:
    """A certificate authority, and the file that SSL_CERT_FILE names to trust it."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.file = folder / "authority.pem"
        self.ca.cert_pem.write_to_path(str(self.file))

    def server(self, *names: str) -> CertificateOptions:
        issued = self.ca.issue_cert(*names)
        chain = [load_certificate(FILETYPE_PEM, pem.bytes()) for pem in issued.cert_chain_pems]
        key = load_privatekey(FILETYPE_PEM, issued.private_key_pem.bytes())
        return CertificateOptions(privateKey=key, certificate=chain[0], extraCertChain=chain[1:])


class _Visit(Protocol):
    transport: Any

    def __init__(self, host: ReleaseHost) -> None:
        self._host = host
        self._head = b""

    def connectionMade(self) -> None:
        self._host.open.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._head += data
        head, end, self._head = self._head.partition(b"\r\n\r\n")
        if not end:
            self._head = head
            return
        path = head.split(b" ")[1].decode()
        self._host.asked.append(path)
        said = self._host.answers.get(path, answer(b"no such file", status="404 Not Found", kind="text/plain"))
        self.transport.write(said)
        if path not in self._host.stalls:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._host.open.discard(self)
        if not self._host.open and self._host.empty is not None:
            empty, self._host.empty = self._host.empty, None
            empty.callback(None)


class ReleaseHost:
    """HTTPS on a free loopback port: `answers` by path (404 otherwise), connections of `stalls` stay open afterwards, `asked` tells what came."""

    def __init__(self, options: CertificateOptions) -> None:
        self.answers: dict[str, bytes] = {}
        self.stalls: set[str] = set()
        self.asked: list[str] = []
        self.open: set[_Visit] = set()
        self.empty: Deferred[None] | None = None
        self._port = reactor.listenSSL(0, Factory.forProtocol(lambda: _Visit(self)), options, interface="127.0.0.1")
        self.port: int = self._port.getHost().port
        self.base = f"https://127.0.0.1:{self.port}"

    async def close(self) -> None:
        await maybeDeferred(self._port.stopListening)
        if self.open:
            self.empty = Deferred()
            for visit in tuple(self.open):
                visit.transport.abortConnection()
            await self.empty


class _ProxyVisit(Protocol):
    transport: Any

    def __init__(self, proxy: FakeProxy) -> None:
        self._proxy = proxy
        self._head = b""
        self._other: Any = None

    def connectionMade(self) -> None:
        self._proxy.visits += 1

    def dataReceived(self, data: bytes) -> None:
        if self._other is not None:
            self._other.transport.write(data)
            return
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return
        self._proxy.heads.append(self._head.decode())
        if self._proxy.refusal:
            self.transport.write(self._proxy.refusal)
            self.transport.loseConnection()
            return
        outward = HostnameEndpoint(reactor, "127.0.0.1", self._proxy.to)
        connectProtocol(outward, _Return(self)).addCallback(self._joined)

    def _joined(self, other: Any) -> None:
        self._other = other
        self.transport.write(b"HTTP/1.1 200 Connection established\r\nVia: fake\r\n\r\n")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._proxy.visits -= 1
        if self._other is not None:
            self._other.transport.loseConnection()


class _Return(Protocol):
    transport: Any

    def __init__(self, visit: _ProxyVisit) -> None:
        self._visit = visit

    def dataReceived(self, data: bytes) -> None:
        self._visit.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._visit.transport.loseConnection()


class FakeProxy:
    """An HTTP proxy that takes every CONNECT to the loopback port `to`, whatever its target is called; `heads` keeps what it was asked."""

    def __init__(self, to: int, *, refusal: bytes = b"", options: CertificateOptions | None = None) -> None:
        self.to = to
        self.refusal = refusal
        self.heads: list[str] = []
        self.visits = 0
        factory = Factory.forProtocol(lambda: _ProxyVisit(self))
        if options is None:
            self._port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        else:
            self._port = reactor.listenSSL(0, factory, options, interface="127.0.0.1")
        self.port: int = self._port.getHost().port

    async def close(self) -> None:
        await self._port.stopListening()


class FakeGo:
    """A `go` in a folder of its own: records arguments, environment and go.sum of each call, and "compiles" a fake headscale."""

    def __init__(
        self, root: Path, *, version: str = "go1.26.8", compiled: bytes = b"", module: ModulePin = MODULE, error: str = ""
    ) -> None:
        self.folder = root / "go"
        self.folder.mkdir(parents=True)
        self.log = self.folder / "log"
        source = self.folder / "source"
        source.mkdir()
        (source / "go.sum").write_text("example.com/dependency v1.0.0 h1:dependency\n")
        (self.folder / "headscale").write_bytes(compiled or fake_headscale(note="compiled"))
        said = {"Sum": module.zip, "GoModSum": module.mod, "Dir": str(source)} | ({"Error": error} if error else {})
        settings = {"GOVERSION": version, "GOPROXY": "https://proxy.invalid", "GOMODCACHE": "/machine/modules", "GOCACHE": "/machine/cache"}
        self._said = (json.dumps(settings), json.dumps(said), 1 if error else 0)
        self.write()

    def write(self, *, building: str = "true", fetching: str = "true") -> None:
        """`building` and `fetching` are shell, run before it does the one or the other."""
        settings, said, status = self._said
        (self.folder / "go").write_text(f"""#!/bin/sh
{{ echo "args $*"; env | sed 's/^/env /'; [ "$1" = -C ] && sed 's/^/sum /' "$2/go.sum"; }} >> '{self.log}'
case "$*" in
  "env -json"*) printf '%s\\n' '{settings}' ;;
  *" mod download "*) {fetching}; printf '%s\\n' '{said}'; exit {status} ;;
  *" build "*)
    echo "go: downloading example.com/dependency v1.0.0" >&2
    echo "example.com/dependency" >&2
    {building} || exit 1
    while [ "$1" != -o ]; do shift; done
    cp '{self.folder}/headscale' "$2" ;;
esac
""")
        (self.folder / "go").chmod(0o755)

    def lines(self, kind: str) -> list[str]:
        """What was recorded: `args`, `env` or `sum`."""
        return [line.removeprefix(f"{kind} ") for line in self.log.read_text().splitlines() if line.startswith(f"{kind} ")]
