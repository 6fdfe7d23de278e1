"""The front as a whole, on real loopback sockets."""

from __future__ import annotations

import os
import socket
import ssl
from functools import partial

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from hsadmin.front.limits import FrontLimits
from hsadmin.interfaces import IFront
from tests.fakes.memory import request
from tests.fakes.upstream import says_nothing
from tests.fakes.visitors import byte_by_byte, eventually, visit
from tests.front.case import BODY, KEY, TS2021, FrontCase, on_both


@on_both
class RequestTests(FrontCase):
    async def test_implements_its_interface(self) -> None:
        self.assertTrue(IFront.providedBy(self.start().front))

    async def test_get_key(self) -> None:
        house = self.start()
        client = await self.visit()
        for _ in range(3):
            client.say(KEY)
            heard = await client.hears(BODY)
            self.assertTrue(heard.startswith(b"HTTP/1.1 200 "))
        self.assertEqual(len(house.headscale.connections), 1)
        self.assertEqual([record.status for record in house.records], [200] * 3)
        self.assertEqual(house.front.counters()["upstream.headscale.reused"], 2)

    async def test_byte_by_byte_and_pipelined(self) -> None:
        self.start()
        client = await self.visit()
        await byte_by_byte(reactor, client, KEY)
        await client.hears(BODY)
        client.say(KEY * 20)
        await client.until(lambda: client.heard.count(BODY) == 20)

    async def test_the_console_by_its_socket(self) -> None:
        house = self.start()
        house.console.scripts[b"/admin/api/health"] = lambda connection, head: connection.say(b"well")
        client = await self.visit()
        client.say(request("/admin/api/health"))
        await client.hears(b"well")
        self.assertIn(b"X-Forwarded-For: 127.0.0.1", house.console.heads[0])
        self.assertIn(b"X-Forwarded-Proto: " + (b"https" if self.tls else b"http"), house.console.heads[0])

    async def test_a_large_answer_to_a_slow_reader_is_whole_although_the_connection_closes(self) -> None:
        house = self.start(limits=FrontLimits(linger=0.2))
        body = os.urandom(1024) * 8192
        house.console.scripts[b"/admin/large"] = lambda connection, head: connection.say(body)
        client = await self.visit()
        client.wire.pauseProducing()
        client.say(request("/admin/large", "Connection: close"))
        await deferLater(reactor, 0.3)
        client.wire.resumeProducing()
        heard = await client.ends()
        self.assertTrue(heard.endswith(body))

    async def test_what_is_shut_does_not_reach_headscale(self) -> None:
        house = self.start()
        client = await self.visit()
        for path in ("/health", "/swagger", "/api/v1/user", "/metrics", "/verify", "//key", "/key/", "/%6bey", "/derp/../health"):
            client.say(request(path))
            self.assertIn(b" 404 ", await client.hears(b"\r\n\r\n"))
        client.say(KEY.replace(b"hs.example", b"other.example"))
        self.assertIn(b" 421 ", await client.hears(b"\r\n\r\n"))
        self.assertEqual(house.headscale.connections, [])


@on_both
class RequestTestsTLS(RequestTests):
    tls = True

    async def test_plain_http_on_the_tls_port_fails_the_handshake(self) -> None:
        house = self.start()
        client = await visit(reactor, house.port)
        client.say(KEY)
        self.assertNotIn(b"200", await client.ends())
        await eventually(reactor, lambda: house.front.counters().get("refused.handshake") == 1)

    async def test_the_handshake_has_a_limit(self) -> None:
        house = self.start(limits=FrontLimits(handshake=0.5))
        client = await visit(reactor, house.port)
        await client.ends()
        self.assertEqual(house.front.counters()["refused.slow-handshake"], 1)

    async def test_a_client_that_verifies_and_offers_alpn(self) -> None:
        house = self.start()
        assert house.certificates is not None
        trusting = ssl.create_default_context(cadata=house.certificates.ca.cert_pem.bytes().decode())

        def ask() -> bytes:
            with (
                socket.create_connection(("127.0.0.1", house.port)) as plain,
                trusting.wrap_socket(plain, server_hostname="hs.example") as s,
            ):
                s.sendall(KEY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                return b"".join(iter(partial(s.recv, 65536), b""))

        self.assertTrue((await deferToThread(ask)).endswith(BODY))

    async def test_a_new_certificate_is_for_new_connections(self) -> None:
        house = self.start()
        assert house.certificates is not None
        tunnel = await self.tunnel()
        house.certificates.swap()
        other = await self.tunnel()
        for client in (tunnel, other):
            client.say(b"still here")
            await client.hears(b"still here")


@on_both
class DoorTests(FrontCase):
    tls = True

    async def ask(self, port: int, data: bytes) -> bytes:
        client = await visit(reactor, port)
        client.say(data)
        heard = await client.hears(b"\r\n\r\n")
        client.wire.loseConnection()
        await client.ends()
        return heard

    async def test_redirect(self) -> None:
        house = self.start()
        heard = await self.ask(house.redirect_port, request("/register/x?y=z").replace(b"hs.example", b"evil.example"))
        self.assertIn(b" 308 ", heard)
        self.assertIn(b"Location: https://hs.example/register/x?y=z\r\n", heard)
        self.assertEqual(house.headscale.connections, [])

    async def test_local(self) -> None:
        house = self.start()
        self.assertIn(b" 200 ", await self.ask(house.local_port, request("/healthz")))
        house.ready = (False, "headscale is starting")
        heard = await self.ask(house.local_port, request("/readyz"))
        self.assertIn(b" 503 ", heard)
        self.assertIn(b"headscale is starting\n", heard)
        self.assertIn(b" 404 ", await self.ask(house.local_port, KEY))
        self.assertIn(b" 405 ", await self.ask(house.local_port, request("/healthz", method="POST")))

    async def test_they_are_not_on_the_public_door(self) -> None:
        self.start()
        client = await self.visit()
        for path in ("/healthz", "/readyz"):
            client.say(request(path))
            self.assertIn(b" 404 ", await client.hears(b"\r\n\r\n"))

    async def test_listening(self) -> None:
        house = self.start()
        self.assertEqual(
            [(one.address, one.tls, one.purpose) for one in house.front.listening()],
            [
                (f"127.0.0.1:{house.port}", True, "public"),
                (f"127.0.0.1:{house.redirect_port}", False, "redirect"),
                (f"127.0.0.1:{house.local_port}", False, "local"),
            ],
        )


@on_both
class StopTests(FrontCase):
    async def test_close_tunnels_waits_for_the_sockets_to_headscale(self) -> None:
        house = self.start()
        clients = [await self.tunnel() for _ in range(5)]
        client = await self.visit()
        client.say(KEY)
        await client.hears(BODY)
        house.front.park()
        await ensureDeferred(house.front.close_tunnels())
        self.assertEqual(house.front.open_streams(), [])
        for connection in house.headscale.connections:
            await eventually(reactor, partial(getattr, connection, "lost"))
        for one in clients:
            await one.ends()
        client.say(KEY)
        house.front.resume()
        await client.hears(BODY)  # an idle visitor stays through a restart of headscale

    async def test_close_tunnels_leaves_no_upgrade_behind(self) -> None:
        house = self.start()
        house.headscale.scripts[b"/ts2021"] = says_nothing
        client = await self.visit()
        client.say(TS2021)
        await eventually(reactor, lambda: house.headscale.heads)
        house.front.park()
        await ensureDeferred(house.front.close_tunnels())
        self.assertIn(b" 503 ", await client.ends())

    async def test_stop_ends_everything_and_never_hangs(self) -> None:
        house = self.start(limits=FrontLimits(stop=0.5, linger=60.0))
        house.headscale.scripts[b"/key"] = says_nothing
        deaf = await self.tunnel()
        deaf.wire.pauseProducing()
        asking, idle = await self.visit(), await self.visit()
        asking.say(KEY)
        idle.say(request("/robots.txt"))
        await idle.hears(b"Disallow")
        await eventually(reactor, lambda: house.headscale.connections[-1].heads)
        await house.front.stopService()
        self.assertEqual(house.front.listening(), [])
        self.assertEqual(house.front.counters()["connections.open"], 0)
        with self.assertRaises(ConnectionRefusedError):
            await visit(reactor, house.port)

    async def test_an_exchange_under_way_may_end(self) -> None:
        house = self.start()
        house.headscale.scripts[b"/key"] = says_nothing
        client = await self.visit()
        client.say(KEY)
        await eventually(reactor, lambda: house.headscale.heads)
        stopped = house.front.stopService()
        house.headscale.connections[0].say(BODY)
        await stopped
        self.assertIn(BODY, await client.ends())


@on_both
class StopTestsTLS(StopTests):
    tls = True
