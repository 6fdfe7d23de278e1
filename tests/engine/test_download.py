"""What a release host can do to us: everything but be believed."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hsadmin.engine.download import DownloadLimits, DownloadSource, authorities, download
from hsadmin.engine.proxies import ProxyError
from hsadmin.engine.shelf import Incoming, Shelf
from hsadmin.errors import BinaryTruncated, DownloadTooLarge, DownloadUnreachable, NotABinary, Problem, ShelfFull
from tests.fakes.releases import PLATFORM, Authority, FakeProxy, ReleaseHost, Sayings, answer, digest, fake_headscale, reactor, refusal

BODY = fake_headscale() + b"#" * 200_000
LIMITS = DownloadLimits(connect=5.0, head=5.0, silence=5.0, whole=60.0, size=1_000_000)


class Case(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.authority = Authority(self.folder)
        self.host = ReleaseHost(self.authority.server("127.0.0.1", "releases.test"))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.host.close()))
        self.shelf = Shelf(self.folder / "bin")
        self.shelf.prepare()
        self.environ = {"SSL_CERT_FILE": str(self.authority.file)}
        self.say = Sayings()
        self.room: list[int] = []
        self.full = False
        self.incoming: Incoming | None = None

    def must_have_room(self, size: int) -> None:
        self.room.append(size)
        if self.full:
            raise ShelfFull("No room.")

    def fetch(self, path: str = "/asset", *, base: str = "", limits: DownloadLimits = LIMITS) -> Deferred[str]:
        """The SHA-256 of what came."""

        async def fetch() -> str:
            source = DownloadSource.over_https(reactor, self.environ, base=base or self.host.base, limits=limits)
            self.incoming = self.shelf.incoming("asset")
            try:
                url = source.base + path
                await download(reactor, source.client, url, self.incoming, room=self.must_have_room, say=self.say, limits=limits)
                return self.incoming.close()
            finally:
                self.incoming.discard()

        return Deferred.fromCoroutine(fetch())

    async def refused(self, kind: type[Problem], words: str, **options: object) -> Problem:
        problem = await refusal(self.fetch(**options), kind)  # type: ignore[arg-type]  # a table's options
        self.assertIn(words, problem.sentence)
        return problem


class Good(Case):
    async def test_all_bytes_and_the_progress(self) -> None:
        self.host.answers["/asset"] = answer(BODY)
        self.assertEqual(await self.fetch(), digest(BODY))
        self.assertEqual(self.room, [len(BODY)])
        self.assertTrue(self.say)
        self.assertEqual(len(self.say), len(set(self.say)))
        self.assertLess(len(self.say), 10)

    async def test_without_a_length(self) -> None:
        self.host.answers["/asset"] = b"HTTP/1.0 200 OK\r\n\r\n" + BODY
        self.assertEqual(await self.fetch(), digest(BODY))
        self.assertEqual(self.room, [])

    async def test_redirected(self) -> None:
        self.host.answers["/asset"] = answer(b"", status="302 Found", fields=f"Location: {self.host.base}/elsewhere?token=1\r\n")
        self.host.answers["/elsewhere?token=1"] = answer(BODY)
        self.assertEqual(await self.fetch(), digest(BODY))
        self.assertEqual(self.host.asked, ["/asset", "/elsewhere?token=1"])

    async def test_name_of_the_asset(self) -> None:
        source = DownloadSource.over_https(reactor, {})
        self.assertEqual(
            source.url("0.29.3", PLATFORM), "https://github.com/juanfont/headscale/releases/download/v0.29.3/headscale_0.29.3_linux_amd64"
        )


class Refused(Case):
    async def test_answers_that_are_not_the_release(self) -> None:
        for status in ("404 Not Found", "500 Oops", "403 Forbidden", "204 No Content", "206 Partial Content"):
            self.host.answers["/asset"] = answer(b"x" if "204" not in status else b"", status=status)
            await self.refused(DownloadUnreachable, f"answered {status[:3]}")

    async def test_web_pages(self) -> None:
        page = b"<!DOCTYPE html><html><title>Sign in</title></html>"
        for said in (answer(page, kind="text/html; charset=utf-8"), answer(page), answer(BODY, kind="Text/HTML")):
            self.host.answers["/asset"] = said
            await self.refused(NotABinary, "a web page")

    async def test_cut_off(self) -> None:
        self.host.answers["/asset"] = answer(BODY, length=len(BODY) + 1)
        await self.refused(BinaryTruncated, f"after {len(BODY)} of {len(BODY) + 1} bytes")

    async def test_silence(self) -> None:
        self.host.answers["/asset"] = answer(BODY, length=len(BODY) + 1)
        self.host.stalls.add("/asset")
        await self.refused(BinaryTruncated, "stopped sending", limits=LIMITS._replace(silence=0.2))

    async def test_too_slow_on_the_whole(self) -> None:
        self.host.answers["/asset"] = answer(BODY, length=len(BODY) + 1)
        self.host.stalls.add("/asset")
        await self.refused(BinaryTruncated, "stopped sending", limits=LIMITS._replace(whole=0.2))

    async def test_no_answer(self) -> None:
        self.host.answers["/asset"] = b""
        self.host.stalls.add("/asset")
        await self.refused(DownloadUnreachable, "does not answer in time", limits=LIMITS._replace(head=0.3))

    async def test_closed_without_an_answer(self) -> None:
        self.host.answers["/asset"] = b""
        await self.refused(DownloadUnreachable, "cannot be reached")

    async def test_too_large(self) -> None:
        self.host.answers["/asset"] = answer(BODY, length=10**9)
        await self.refused(DownloadTooLarge, "announces 1000 MB")
        self.host.answers["/asset"] = b"HTTP/1.0 200 OK\r\n\r\n" + BODY
        await self.refused(DownloadTooLarge, "sent more than", limits=LIMITS._replace(size=len(BODY) - 1))
        assert self.incoming is not None
        self.assertLess(self.incoming.size, len(BODY))

    async def test_no_room(self) -> None:
        self.host.answers["/asset"] = answer(BODY)
        self.full = True
        await self.refused(ShelfFull, "No room.")
        assert self.incoming is not None
        self.assertEqual(self.incoming.size, 0)

    async def test_nobody_listens(self) -> None:
        base = self.host.base
        await self.host.close()
        await self.refused(DownloadUnreachable, "refused", base=base)

    async def test_no_such_name(self) -> None:
        await self.refused(DownloadUnreachable, "name cannot be resolved", base="https://no-such-host.invalid")

    async def test_redirects_that_lead_nowhere(self) -> None:
        self.host.answers["/loop"] = answer(b"", status="302 Found", fields=f"Location: {self.host.base}/loop\r\n")
        await self.refused(DownloadUnreachable, "cannot be reached", path="/loop")
        self.host.answers["/plain"] = answer(b"", status="302 Found", fields="Location: http://127.0.0.1:1/asset\r\n")
        await self.refused(DownloadUnreachable, "not https", path="/plain")

    async def test_cancelled_while_waiting_for_an_answer(self) -> None:
        self.host.answers["/asset"] = b""
        self.host.stalls.add("/asset")
        running = self.fetch()
        while not self.host.asked:
            await deferLater(reactor, 0.01)
        running.cancel()
        await self.assertFailure(running, CancelledError)

    async def test_cancelled_while_receiving(self) -> None:
        self.host.answers["/asset"] = answer(BODY, length=len(BODY) + 1)
        self.host.stalls.add("/asset")
        running = self.fetch()
        while self.incoming is None or self.incoming.size < len(BODY):
            await deferLater(reactor, 0.01)
        running.cancel()
        await self.assertFailure(running, CancelledError)
        self.assertEqual(list(self.shelf.folder.iterdir()), [])


class Certificates(Case):
    async def test_an_authority_nobody_named(self) -> None:
        self.environ = {}
        await self.refused(DownloadUnreachable, "certificate cannot be verified")
        self.assertEqual(self.host.asked, [])

    async def test_a_certificate_of_another_name(self) -> None:
        host = ReleaseHost(self.authority.server("other.test"))
        self.addCleanup(lambda: Deferred.fromCoroutine(host.close()))
        await self.refused(DownloadUnreachable, "certificate cannot be verified", base=host.base)
        self.assertEqual(host.asked, [])

    async def test_a_file_of_authorities_that_is_not_there(self) -> None:
        self.environ = {"SSL_CERT_FILE": "/no/such/file.pem"}
        await self.refused(DownloadUnreachable, "/no/such/file.pem")


class Proxied(Case):
    def setUp(self) -> None:
        super().setUp()
        self.host.answers["/asset"] = answer(BODY)

    def proxy(self, refusal: bytes = b"") -> FakeProxy:
        proxy = FakeProxy(self.host.port, refusal=refusal)
        self.addCleanup(lambda: Deferred.fromCoroutine(proxy.close()))
        self.environ["https_proxy"] = f"http://me:secret@127.0.0.1:{proxy.port}"
        return proxy

    async def test_the_name_goes_to_the_proxy_and_tls_to_the_host(self) -> None:
        proxy = self.proxy()
        self.assertEqual(await self.fetch(base="https://releases.test"), digest(BODY))
        self.assertEqual(len(proxy.heads), 1)
        self.assertTrue(proxy.heads[0].startswith("CONNECT releases.test:443 HTTP/1.1\r\n"))
        self.assertIn("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n", proxy.heads[0])

    async def test_a_proxy_that_is_reached_by_tls_itself(self) -> None:
        proxy = FakeProxy(self.host.port, options=self.authority.server("127.0.0.1"))
        self.addCleanup(lambda: Deferred.fromCoroutine(proxy.close()))
        self.environ["https_proxy"] = f"https://127.0.0.1:{proxy.port}"
        self.assertEqual(await self.fetch(base="https://releases.test"), digest(BODY))
        self.assertEqual(len(proxy.heads), 1)

    async def test_no_proxy_goes_straight(self) -> None:
        proxy = self.proxy()
        self.environ["no_proxy"] = "releases.invalid"
        await self.refused(DownloadUnreachable, "name cannot be resolved", base="https://releases.invalid")
        self.assertEqual(proxy.heads, [])

    async def test_a_proxy_that_refuses(self) -> None:
        self.proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        problem = await self.refused(DownloadUnreachable, "the proxy answered 407", base="https://releases.test")
        self.assertNotIn("secret", problem.sentence)

    async def test_a_proxy_that_is_none(self) -> None:
        self.environ["https_proxy"] = "socks5://127.0.0.1:1"
        await self.refused(DownloadUnreachable, "socks5", base="https://releases.test")


class Authorities(SynchronousTestCase):
    def test_system_and_ours(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        authority = Authority(folder)
        system = authorities({})._caCerts
        both = authorities({"SSL_CERT_FILE": str(authority.file)})._caCerts
        self.assertEqual(len(both), len(system) + 1)

    def test_unreadable(self) -> None:
        self.assertRaises(ProxyError, authorities, {"SSL_CERT_FILE": "/no/such"})
