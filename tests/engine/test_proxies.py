"""The environment's proxy is read as Go reads it, and CONNECT is spoken strictly."""

from __future__ import annotations

import base64
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.proxies import HEAD_LIMIT, ConnectEndpoint, Proxy, ProxyError, proxy_for

ENVIRON = {"https_proxy": "http://proxy.test:3128"}
PROXY = Proxy(False, "proxy.test", 3128)


class Choice(SynchronousTestCase):
    def choose(self, environ: dict[str, str], host: str = "releases.test", port: int = 443) -> Proxy | None:
        return proxy_for(environ, "https", host, port)

    def test_which_variable(self) -> None:
        for environ, expected in (
            ({}, None),
            (ENVIRON, PROXY),
            ({"HTTPS_PROXY": "http://proxy.test:3128"}, PROXY),
            ({"https_proxy": "proxy.test:3128"}, PROXY),
            ({"https_proxy": "http://proxy.test"}, Proxy(False, "proxy.test", 80)),
            ({"https_proxy": "https://proxy.test"}, Proxy(True, "proxy.test", 443)),
            ({"https_proxy": "http://[::1]:1/"}, Proxy(False, "::1", 1)),
            ({"all_proxy": "http://proxy.test:3128"}, PROXY),
            ({"http_proxy": "http://proxy.test:3128"}, None),
            ({"https_proxy": ""}, None),
            ({"https_proxy": " ", "HTTPS_PROXY": " http://proxy.test:3128 "}, None),
        ):
            self.assertEqual(self.choose(environ), expected, environ)

    def test_credentials_are_carried_and_never_shown(self) -> None:
        proxy = self.choose({"https_proxy": "http://me:p%40ss@proxy.test:1"})
        assert proxy is not None
        self.assertEqual(base64.b64decode(proxy.credentials), b"me:p@ss")
        self.assertEqual(str(proxy), "proxy.test:1")

    def test_what_cannot_be_used(self) -> None:
        for url in ("socks5://me:secret@proxy.test:1", "http://me:secret@:1", "http://proxy.test:port", "http://[::1"):
            error = self.assertRaises(ProxyError, self.choose, {"https_proxy": url})
            self.assertNotIn("secret", str(error))

    def test_no_proxy(self) -> None:
        for no_proxy, host, port, direct in (
            ("*", "releases.test", 443, True),
            ("releases.test", "releases.test", 443, True),
            ("RELEASES.test", "a.releases.TEST", 443, True),
            ("releases.test", "otherreleases.test", 443, False),
            (".releases.test", "a.releases.test", 443, True),
            (".releases.test", "releases.test", 443, False),
            ("*.releases.test", "a.releases.test", 443, True),
            ("releases.test:8443", "releases.test", 443, False),
            ("releases.test:443", "releases.test", 443, True),
            (" a.test , releases.test ,", "releases.test", 443, True),
            ("10.0.0.0/8", "10.1.2.3", 443, True),
            ("10.0.0.0/8", "11.1.2.3", 443, False),
            ("10.0.0.0/99", "10.1.2.3", 443, False),
            ("10.1.2.3", "10.1.2.3", 443, True),
            ("10.1.2.3:80", "10.1.2.3", 443, False),
            ("[2001:db8::1]:443", "2001:db8::1", 443, True),
            ("2001:db8::1", "2001:0db8::1", 443, True),
            ("2001:db8::/32", "2001:db8::5", 443, True),
            ("", "localhost", 443, True),
            ("", "127.9.9.9", 443, True),
            ("", "::1", 443, True),
            ("", "releases.test", 443, False),
        ):
            chosen = self.choose(ENVIRON | {"NO_PROXY": no_proxy}, host, port)
            self.assertEqual(chosen is None, direct, (no_proxy, host))


class Way:
    """An endpoint whose connection is a StringTransport."""

    def __init__(self) -> None:
        self.transport = StringTransport()
        self.tunnel: Any = None

    def connect(self, factory: Any) -> Deferred[Any]:
        self.tunnel = factory.buildProtocol(None)
        self.tunnel.makeConnection(self.transport)
        return succeed(self.tunnel)


class Inner(Protocol):
    def __init__(self) -> None:
        self.heard = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.lost = True


class Connect(SynchronousTestCase):
    def setUp(self) -> None:
        self.way = Way()

    def connect(self, host: str = "releases.test", credentials: bytes = b"") -> Deferred[Any]:
        way: Any = self.way
        return ConnectEndpoint(way, host, 443, credentials).connect(Factory.forProtocol(Inner))

    def test_what_is_asked(self) -> None:
        self.connect()
        self.assertEqual(self.way.transport.value(), b"CONNECT releases.test:443 HTTP/1.1\r\nHost: releases.test:443\r\n\r\n")

    def test_credentials_and_addresses(self) -> None:
        self.connect("2001:db8::1", b"bWU=")
        self.assertEqual(
            self.way.transport.value(),
            b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\nProxy-Authorization: Basic bWU=\r\n\r\n",
        )

    def test_opens_whatever_the_segmentation_and_keeps_what_follows(self) -> None:
        said = b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\nfirst"
        for size in (1, 2, 7, len(said)):
            self.way = Way()
            connected = self.connect()
            for start in range(0, len(said), size):
                self.way.tunnel.dataReceived(said[start : start + size])
            inner = self.successResultOf(connected)
            self.way.tunnel.dataReceived(b" second")
            self.assertEqual(inner.heard, b"first second")
            self.assertIs(inner.transport, self.way.transport)
            self.way.tunnel.connectionLost(Failure(ConnectionDone()))
            self.assertTrue(inner.lost)

    def test_refusals(self) -> None:
        for said, words in (
            (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
            (b"HTTP/1.0 503 No\r\n\r\n", "503"),
            (b"SSH-2.0-x\r\n\r\n", "does not answer as an HTTP proxy"),
            (b"HTTP/1.1 abc\r\n\r\n", "does not answer as an HTTP proxy"),
            (b"HTTP/1.1 200 OK\r\n" + b"X" * HEAD_LIMIT, "does not answer as an HTTP proxy"),
        ):
            self.way = Way()
            connected = self.connect()
            self.way.tunnel.dataReceived(said)
            self.assertIn(words, str(self.failureResultOf(connected, ProxyError).value))
            self.assertTrue(self.way.transport.disconnected)
            self.way.tunnel.connectionLost(Failure(ConnectionDone()))

    def test_closed_instead_of_an_answer(self) -> None:
        for said in (b"", b"HTTP/1.1 20"):
            self.way = Way()
            connected = self.connect()
            self.way.tunnel.dataReceived(said)
            self.way.tunnel.connectionLost(Failure(ConnectionDone()))
            self.failureResultOf(connected, ProxyError)

    def test_cancelled(self) -> None:
        connected = self.connect()
        connected.cancel()
        self.failureResultOf(connected, CancelledError)
        self.assertTrue(self.way.transport.disconnected)
        self.way.tunnel.connectionLost(Failure(ConnectionDone()))
