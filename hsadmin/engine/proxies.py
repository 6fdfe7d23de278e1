"""The proxy that the environment asks for, and CONNECT through it.

The variables and their reading are those of Go's net/http, because Go is what builds headscale when nothing can be downloaded:
https_proxy, http_proxy and no_proxy in lower or upper case, besides all_proxy; no_proxy holds names (with their subdomains), addresses,
networks and `*`, each with an optional port; loopback is never proxied.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

HEAD_LIMIT = 16 * 1024


class ProxyError(Exception):
    """The proxy is not one we can use, or it refused; the text is for a sentence and holds no credentials."""


class Proxy(NamedTuple):
    """Where to CONNECT; `credentials` as Proxy-Authorization carries them, empty for none."""

    tls: bool
    host: str
    port: int
    credentials: bytes = b""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def proxy_for(environ: Mapping[str, str], scheme: str, host: str, port: int) -> Proxy | None:
    """Raises ProxyError for a proxy that is not HTTP."""
    if _is_direct(_value(environ, "no_proxy"), host, port):
        return None
    url = _value(environ, f"{scheme}_proxy") or _value(environ, "all_proxy")
    return _parse(url) if url else None


def _value(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _parse(url: str) -> Proxy:
    try:
        parts: SplitResult = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise ProxyError("the proxy variable of the environment holds no usable address") from error
    if parts.scheme not in {"http", "https"}:
        raise ProxyError(f"the environment asks for a {parts.scheme} proxy, and only http and https proxies can be used")
    if not parts.hostname:
        raise ProxyError("the proxy variable of the environment holds no usable address")
    credentials = b""
    if parts.username is not None:
        credentials = base64.b64encode(f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode())
    tls = parts.scheme == "https"
    return Proxy(tls, parts.hostname, port or (443 if tls else 80), credentials)


def _is_direct(no_proxy: str, host: str, port: int) -> bool:
    host = host.rstrip(".").lower()
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_matches(entry.strip().lower(), host, port, address) for entry in no_proxy.split(",") if entry.strip())


def _matches(entry: str, host: str, port: int, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> bool:
    if entry == "*":
        return True
    if address is not None and "/" in entry:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and (":" not in name or name.startswith("[")):
        if int(wanted) != port:
            return False
        entry = name
    entry = entry.strip("[]")
    if address is not None:
        return _address(entry) == address
    suffix = entry.removeprefix("*").removeprefix(".")
    return host.endswith(f".{suffix}") or (host == suffix and not entry.startswith("."))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@implementer(IStreamClientEndpoint)
class ConnectEndpoint:
    """A connection to `host:port` by CONNECT through the HTTP proxy that `proxy` reaches; the name is resolved there, not here."""

    def __init__(self, proxy: IStreamClientEndpoint, host: str, port: int, credentials: bytes = b"") -> None:
        self._proxy = proxy
        self._target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._credentials = credentials

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> Any:
        tunnel: Any = await self._proxy.connect(Factory.forProtocol(lambda: _Tunnel(self._target, self._credentials, factory)))
        return await tunnel.opened


class _Tunnel(Protocol):
    """Asks, reads the proxy's head, and then is the inner protocol."""

    transport: Any

    def __init__(self, target: str, credentials: bytes, factory: IProtocolFactory) -> None:
        self.opened: Deferred[Any] = Deferred(lambda _: self.transport.abortConnection())
        self._target = target.encode("ascii")
        self._credentials = credentials
        self._factory = factory
        self._head = b""
        self._inner: Any = None

    def connectionMade(self) -> None:
        lines = [b"CONNECT %b HTTP/1.1" % self._target, b"Host: %b" % self._target]
        if self._credentials:
            lines.append(b"Proxy-Authorization: Basic %b" % self._credentials)
        self.transport.write(b"\r\n".join([*lines, b"", b""]))

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end and len(head) <= HEAD_LIMIT:
            return
        words = head.partition(b"\r\n")[0].split(b" ", 2)
        if not end or len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            self._refuse("the proxy does not answer as an HTTP proxy does")
        elif not words[1].startswith(b"2"):
            self._refuse(f"the proxy answered {int(words[1])} to CONNECT")
        else:
            self._open(rest)

    def _open(self, rest: bytes) -> None:
        self._head = b""
        self._inner = self._factory.buildProtocol(self.transport.getPeer())
        self._inner.makeConnection(self.transport)
        self.opened.callback(self._inner)
        if rest:
            self._inner.dataReceived(rest)

    def _refuse(self, words: str) -> None:
        self._fail(words)
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        else:
            self._fail("the proxy closed the connection instead of answering")

    def _fail(self, words: str) -> None:
        if not self.opened.called:
            self.opened.errback(ProxyError(words))
