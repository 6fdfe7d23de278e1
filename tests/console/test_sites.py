"""The two listeners, on real Unix sockets: their mode, what is cleared out of their way, who gets in, how they end."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from hsadmin.console.peer import peer_uid
from hsadmin.console.sites import BODY_LIMIT, BoundedRequest, UnixSite, admin_site, console_site, make_way
from hsadmin.errors import ListenFailed
from tests.fakes.rooms import neighbours

GET = b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Client(Protocol):
    """Keeps what arrives; `ended` fires when the other side is done."""

    def __init__(self) -> None:
        self.received = b""
        self.ended: Deferred[bytes] = Deferred()
        self.some: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if not self.some.called:
            self.some.callback(None)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]  # twisted types the default only
        assert reason.check(ConnectionDone, ConnectionLost)
        self.ended.callback(self.received)


class SocketTestCase(TestCase):
    def setUp(self) -> None:
        # Not mktemp: a Unix socket's path must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="hs"))
        self.addCleanup(rmtree, self.folder)

    async def serve(self, site: UnixSite) -> UnixSite:
        site.startService()
        self.addCleanup(lambda: site.stopService() if site.running else None)
        return site

    async def dial(self, path: Path) -> Any:
        return await connectProtocol(UNIXClientEndpoint(reactor, os.fspath(path)), Client())

    async def exchange(self, path: Path, request: bytes) -> bytes:
        client = await self.dial(path)
        client.transport.write(request)
        received: bytes = await client.ended
        return received


class Console(SocketTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "console.sock"
        self.site = console_site(reactor, self.path, neighbours(), auth_disabled=True, assets=self.folder / "none")

    async def test_answers_with_a_mode_of_its_own_only(self) -> None:
        await self.serve(self.site)
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        head, _, body = (await self.exchange(self.path, GET % b"/admin/api/health")).partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"), head)
        self.assertIn(b"\r\nContent-Length: %d" % len(body), head)
        self.assertNotIn(b"chunked", head.lower())
        self.assertNotIn(b"twisted", head.lower())

    async def test_head_has_the_same_length_and_no_body(self) -> None:
        await self.serve(self.site)
        whole = await self.exchange(self.path, GET % b"/admin/api/public/server")
        head = await self.exchange(self.path, (GET % b"/admin/api/public/server").replace(b"GET", b"HEAD", 1))
        length = len(whole.partition(b"\r\n\r\n")[2])
        self.assertIn(b"\r\nContent-Length: %d\r\n" % length, head)
        self.assertTrue(head.endswith(b"\r\n\r\n"))

    async def test_no_host_is_a_problem_not_a_fault(self) -> None:
        await self.serve(self.site)
        for request in (b"GET /admin HTTP/1.0\r\n\r\n", GET.replace(b"localhost", b"a..b") % b"/admin/api/health"):
            answer = await self.exchange(self.path, request)
            self.assertIn(b" 400 ", answer.splitlines()[0])
            self.assertIn(b"application/problem+json", answer)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_local_calls_are_not_there(self) -> None:
        await self.serve(self.site)
        for path in (b"/status", b"/users", b"/admin/status", b"/admin/api/users"):
            answer = await self.exchange(self.path, GET % path)
            self.assertNotIn(b'headscale":', answer)

    async def test_a_stop_ends_idle_connections_and_takes_the_file_away(self) -> None:
        await self.serve(self.site)
        client = await self.dial(self.path)
        client.transport.write((GET % b"/admin/api/health").replace(b"close", b"keep-alive"))
        await client.some
        await self.site.stopService()
        await client.ended
        self.assertFalse(self.path.exists())

    async def test_it_starts_again_after_a_stop(self) -> None:
        await self.serve(self.site)
        await self.site.stopService()
        self.site.startService()
        self.assertIn(b"200 OK", await self.exchange(self.path, GET % b"/admin/api/health"))

    async def test_it_stops_though_somebody_removed_the_file(self) -> None:
        """Tidying of /tmp, say: it must not keep the daemon from ending."""
        await self.serve(self.site)
        self.path.unlink()
        await self.site.stopService()
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_it_leaves_a_file_that_is_not_its_own(self) -> None:
        await self.serve(self.site)
        self.path.unlink()
        self.path.write_text("another's")
        await self.site.stopService()
        self.assertEqual(self.path.read_text(), "another's")

    async def test_stop_without_start(self) -> None:
        await self.site.stopService()


class Admin(SocketTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "admin.sock"

    async def test_our_own_uid_gets_in(self) -> None:
        await self.serve(admin_site(reactor, self.path, neighbours()))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertIn(b"200 OK", await self.exchange(self.path, GET % b"/status"))

    async def test_another_uid_is_shut_out_before_it_is_read(self) -> None:
        await self.serve(admin_site(reactor, self.path, neighbours(), uid_of=lambda connection: os.getuid() + 1))
        self.assertEqual(await self.exchange(self.path, GET % b"/status"), b"")

    async def test_root_gets_in(self) -> None:
        await self.serve(admin_site(reactor, self.path, neighbours(), uid_of=lambda connection: 0))
        self.assertIn(b"200 OK", await self.exchange(self.path, GET % b"/status"))

    async def test_nobody_gets_in_when_the_system_does_not_say_who(self) -> None:
        def silent(connection: socket.socket) -> int:
            raise OSError(92, "Protocol not available")

        await self.serve(admin_site(reactor, self.path, neighbours(), uid_of=silent))
        self.assertEqual(await self.exchange(self.path, GET % b"/status"), b"")

    async def test_the_consoles_calls_and_pages_are_not_there(self) -> None:
        await self.serve(admin_site(reactor, self.path, neighbours()))
        for path in (b"/admin", b"/admin/api/status", b"/admin/api/openapi.json", b"/"):
            answer = await self.exchange(self.path, GET % path)
            self.assertIn(b" 404 ", answer.splitlines()[0])

    async def test_a_long_body_is_neither_kept_nor_taken(self) -> None:
        kept: list[int] = []
        whole = BoundedRequest.requestReceived

        def seen(request: BoundedRequest, *line: bytes) -> None:
            assert request.content is not None
            kept.append(request.content.tell())
            whole(request, *line)

        self.patch(BoundedRequest, "requestReceived", seen)
        await self.serve(admin_site(reactor, self.path, neighbours()))
        body = b"x" * (4 * BODY_LIMIT)
        fields = b"Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
        for framing, framed in (
            (b"Content-Length: %d" % len(body), body),
            (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)),
        ):
            answer = await self.exchange(self.path, b"POST /users HTTP/1.1\r\n" + fields + framing + b"\r\n\r\n" + framed)
            self.assertIn(b" 413 ", answer.splitlines()[0])
            self.assertIn(b"request.too-large", answer)
        self.assertEqual(kept, [BODY_LIMIT + 1] * 2)

    def test_the_kernel_says_who(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.assertEqual(peer_uid(ours), os.getuid())


class Way(SocketTestCase):
    def test_a_socket_that_was_left_is_removed(self) -> None:
        path = self.folder / "left.sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(os.fspath(path))
        self.assertTrue(path.exists())
        make_way(path)
        self.assertFalse(path.exists())

    def test_a_socket_that_answers_stays(self) -> None:
        path = self.folder / "busy.sock"
        with socket.socket(socket.AF_UNIX) as busy:
            busy.bind(os.fspath(path))
            busy.listen(0)
            for attempt in ("accepted into the queue", "queue full"):
                with self.subTest(attempt):
                    problem = self.assertRaises(ListenFailed, make_way, path)
                    self.assertIn("in use", problem.sentence)
        self.assertTrue(path.exists())

    def test_what_is_no_socket_stays(self) -> None:
        path = self.folder / "file"
        path.write_text("precious")
        link = self.folder / "link"
        link.symlink_to(path)
        for each in (path, link, self.folder):
            with self.subTest(str(each)):
                self.assertIn("not a socket", self.assertRaises(ListenFailed, make_way, each).sentence)
        self.assertEqual(path.read_text(), "precious")

    def test_a_path_that_is_too_long(self) -> None:
        problem = self.assertRaises(ListenFailed, make_way, self.folder / ("x" * 108))
        self.assertIn("too long for a Unix socket", problem.sentence)

    def test_no_folder(self) -> None:
        site = console_site(reactor, self.folder / "none" / "console.sock", neighbours(), auth_disabled=True)
        problem = self.assertRaises(ListenFailed, site.startService)
        self.assertEqual(problem.sentence, f"{self.folder}/none/console.sock cannot be listened on: No such file or directory.")
        self.assertFalse(site.running)
