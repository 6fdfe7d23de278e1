"""Fetching one release asset over HTTPS.

The host is not trusted with anything but effort: what arrives is bounded in size, in time and in silence, handed on chunk by chunk to be
hashed, and a web page is told from a binary by its first bytes. TLS is verified all the same (the system's authorities and those of
SSL_CERT_FILE), also after each redirect, and never left for plain HTTP.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as Overdue
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionLost, DNSLookupError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH, IAgentEndpointFactory
from zope.interface import implementer

from hsadmin.engine.inspect import what_else
from hsadmin.engine.pins import Platform
from hsadmin.engine.proxies import ConnectEndpoint, ProxyError, proxy_for
from hsadmin.engine.shelf import Incoming, megabytes
from hsadmin.errors import BinaryTruncated, DownloadTooLarge, DownloadUnreachable, NotABinary, Problem

PROJECT = "https://github.com/juanfont/headscale/releases/download"

# Where systems keep their authorities, should the OpenSSL we are linked with look elsewhere (the wheels' does).
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
)
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class DownloadLimits(NamedTuple):
    """Seconds and bytes. A release is 75 MB today."""

    connect: float = 8.0
    head: float = 20.0  # from the request to the last redirect's answer
    silence: float = 30.0  # between two chunks
    whole: float = 3600.0
    size: int = 400_000_000


LIMITS = DownloadLimits()


class DownloadSource(NamedTuple):
    """Whom to ask: a treq client and the folder of releases."""

    client: HTTPClient
    base: str = PROJECT

    def url(self, version: str, platform: Platform) -> str:
        return f"{self.base}/v{version}/headscale_{version}_{platform.os}_{platform.arch}"

    @classmethod
    def over_https(
        cls, reactor: Any, environ: Mapping[str, str], *, base: str = PROJECT, limits: DownloadLimits = LIMITS
    ) -> DownloadSource:
        """A client that keeps to HTTPS and to the environment's proxy and authorities."""
        agent = Agent.usingEndpointFactory(
            reactor, HTTPSOnly(reactor, environ, connect_timeout=limits.connect), HTTPConnectionPool(reactor, persistent=False)
        )
        return cls(HTTPClient(agent), base)


def authorities(environ: Mapping[str, str]) -> Any:
    """A trust root: the system's certificate authorities and, in addition, those of SSL_CERT_FILE. Raises ProxyError when that cannot be read."""
    system = (ssl.get_default_verify_paths().openssl_cafile, *BUNDLES)
    bundles = [path for path in system if path and Path(path).is_file()][:1]
    extra = environ.get("SSL_CERT_FILE", "")
    pems: set[str] = set()
    for bundle in [*bundles, extra] if extra else bundles:
        try:
            text = Path(bundle).read_text("ascii", "replace")
        except OSError as error:
            raise ProxyError(f"the certificate authorities in {bundle} cannot be read ({error.strerror})") from error
        pems.update(CERTIFICATE.findall(text))
    return trustRootFromCertificates([Certificate.loadPEM(pem.encode()) for pem in pems])


@implementer(IAgentEndpointFactory)
class HTTPSOnly:
    """Endpoints for https URIs, straight or by CONNECT; other schemes are refused, which also ends a redirect to plain HTTP."""

    def __init__(self, reactor: Any, environ: Mapping[str, str], *, connect_timeout: float) -> None:
        self._reactor = reactor
        self._environ = environ
        self._timeout = connect_timeout
        self._authorities: Any = None

    def endpointForURI(self, uri: URI) -> Any:
        if uri.scheme != b"https":
            raise ProxyError("it redirects to an address that is not https")
        host = uri.host.decode("ascii").strip("[]")
        proxy = proxy_for(self._environ, "https", host, uri.port)
        if proxy is None:
            endpoint: Any = self._reach(host, uri.port)
        else:
            way = self._reach(proxy.host, proxy.port)
            if proxy.tls:
                way = self._tls(proxy.host, way)
            endpoint = ConnectEndpoint(way, host, uri.port, proxy.credentials)
        return self._tls(host, endpoint)

    def _reach(self, host: str, port: int) -> Any:
        return HostnameEndpoint(self._reactor, host, port, timeout=self._timeout)

    def _tls(self, host: str, endpoint: Any) -> Any:
        if self._authorities is None:
            self._authorities = authorities(self._environ)
        return wrapClientTLS(optionsForClientTLS(host, trustRoot=self._authorities), endpoint, self._reactor)


class _Body(Protocol):
    """One answer's body: each chunk to `take`; `done` says that it came whole, or why not."""

    transport: Any = None

    def __init__(self, reactor: Any, take: Callable[[bytes], None], limits: DownloadLimits) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self._stop())
        self._take = take
        self._silence = limits.silence
        self._problem: Exception | None = None
        self._timers = [reactor.callLater(limits.silence, self._overdue), reactor.callLater(limits.whole, self._overdue)]

    def dataReceived(self, data: bytes) -> None:
        if self._problem is not None:
            return
        self._timers[0].reset(self._silence)
        try:
            self._take(data)
        except Problem as problem:
            self._problem = problem
            self._stop()

    def _overdue(self) -> None:
        self._problem = self._problem or Overdue()
        self._stop()

    def _stop(self) -> None:
        if self.transport is not None:
            self.transport.stopProducing()  # closes without waiting for the other side's leave

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        if self.done.called:
            return
        if self._problem is not None:
            self.done.errback(self._problem)
        elif reason.check(ResponseDone, PotentialDataLoss):  # without a length the hash is the judge
            self.done.callback(None)
        else:
            self.done.errback(reason)


async def download(
    reactor: Any,
    client: HTTPClient,
    url: str,
    into: Incoming,
    *,
    room: Callable[[int], None],
    say: Callable[[str], None],
    limits: DownloadLimits,
) -> None:
    """Fills `into`. `room` is asked with the announced length before the first byte, and raises if there is none.

    Raises DownloadUnreachable, DownloadTooLarge, NotABinary, BinaryTruncated, or what `into` and `room` raise.
    """
    host = url.split("/")[2]
    asked = maybeDeferred(client.get, url, unbuffered=True, reactor=reactor)
    overdue = reactor.callLater(limits.head, asked.cancel)
    try:
        response: Any = await asked
    except Exception as error:  # whatever the network and its libraries raise is one thing to a person
        cause = cause_of(error)
        if isinstance(cause, CancelledError) and overdue.active():
            raise cause from error  # by our caller; Twisted wraps this like any other fault
        raise DownloadUnreachable(f"The download host {host} cannot be reached: {reason_of(cause)}.") from error
    finally:
        if overdue.active():
            overdue.cancel()
    length = None if response.length is UNKNOWN_LENGTH else int(response.length)
    refusal = _refusal(response, host, length, limits)
    if refusal is None and length is not None:
        try:
            room(length)
        except Problem as problem:
            refusal = problem
    taker = _Taker(into, host, length, limits, say)
    body = _Body(reactor, taker.take if refusal is None else _refuse(refusal), limits)
    response.deliverBody(body)
    if refusal is not None:
        body.done.addErrback(lambda _: None)
        body.done.cancel()
        raise refusal
    try:
        await body.done
    except (Problem, CancelledError):
        raise
    except Overdue as error:
        raise BinaryTruncated(f"{host} stopped sending after {taker.progress()}.") from error
    except Exception as error:
        raise BinaryTruncated(f"The download from {host} ended early, after {taker.progress()}.") from error


def _refuse(problem: Problem) -> Callable[[bytes], None]:
    def take(_data: bytes) -> None:
        raise problem

    return take


def _refusal(response: Any, host: str, length: int | None, limits: DownloadLimits) -> Problem | None:
    if response.code != 200:
        return DownloadUnreachable(
            f"The download host {host} does not give out the release: it answered {response.code}.", status=response.code
        )
    kind = (response.headers.getRawHeaders("content-type") or [""])[0].partition(";")[0].strip().lower()
    if kind in {"text/html", "application/xhtml+xml"}:
        return NotABinary(f"{host} sent a web page instead of headscale; a proxy or a sign-in page may stand in the way.")
    if length is not None and length > limits.size:
        return DownloadTooLarge(
            f"{host} announces {megabytes(length)}, and a headscale release is never larger than {megabytes(limits.size)}."
        )
    return None


class _Taker:
    """Judges and counts chunks, and tells of the progress in tenths."""

    def __init__(self, into: Incoming, host: str, length: int | None, limits: DownloadLimits, say: Callable[[str], None]) -> None:
        self._into = into
        self._host = host
        self._length = length
        self._limit = limits.size
        self._say = say
        self._tenths = 0

    def take(self, data: bytes) -> None:
        if not self._into.size and (other := what_else(data[:64])) is not None and len(data) >= 16:
            raise NotABinary(f"{self._host} sent {other} instead of headscale; a proxy or a sign-in page may stand in the way.")
        if self._into.size + len(data) > self._limit:
            raise DownloadTooLarge(f"{self._host} sent more than {megabytes(self._limit)}, and a headscale release is never that large.")
        self._into.write(data)
        tenths = 10 * self._into.size // self._length if self._length else 0
        if self._tenths < tenths < 10:
            self._tenths = tenths
            self._say(f"Downloading: {self.progress()}.")

    def progress(self) -> str:
        if self._length is None:
            return f"{self._into.size} bytes"
        if self._length < 1_000_000:
            return f"{self._into.size} of {self._length} bytes"
        return f"{megabytes(self._into.size)} of {megabytes(self._length)}"


def cause_of(error: BaseException) -> BaseException:
    """From the depths of what Twisted wraps around it."""
    for inner in getattr(error, "reasons", ()):
        return cause_of(inner.value)
    return error


def reason_of(error: BaseException) -> str:
    """A few words on why a request failed."""
    if isinstance(error, ProxyError):
        return str(error)
    if isinstance(error, DNSLookupError):
        return "its name cannot be resolved"
    if isinstance(error, CancelledError):
        return "it does not answer in time"
    if isinstance(error, ConnectError):
        return (
            error.args[0]
            if error.args and isinstance(error.args[0], str)
            else (type(error).__doc__ or "no connection").strip().lower().rstrip(".")
        )
    if isinstance(error, ConnectionLost):
        return "it closed the connection"
    text = str(error)
    if "certificate verify failed" in text or "VerificationError" in type(error).__name__:
        return "its certificate cannot be verified (a proxy that opens TLS needs its authority in SSL_CERT_FILE)"
    return f"{type(error).__name__}" + (f" ({text[:100]})" if text else "")
