"""The front as a whole, on real loopback sockets."""

from __future__ import annotations

import gc
import os
import socket
import ssl
from functools import partial
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from hsadmin.front.limits import FrontLimits
from hsadmin.interfaces import IFront
from tests.fakes.front import LoopbackFront
from tests.fakes.memory import request, upgrade
from tests.fakes.upstream import (
    REPLY,
    SERVER_KEY,
    answers_early_and_twice,
    answers_twice,
    dies_before_first_byte,
    half_answer,
    refuses,
    says_nothing,
)
from tests.fakes.visitors import Client, ConnectFlood, SlowLoris, byte_by_byte, eventually, visit

KEY = request("/key?v=138")
BODY = b'{"publicKey":"mkey:0"}'
TS2021 = upgrade("/ts2021", "tailscale-control-protocol", "X-Tailscale-Handshake: AAAA", "Content-Length: 0")


class FrontCase(TestCase):
    """`tls` on the public door; visitors are given its scheme."""

    timeout = 60
    tls = False

    def start(self, **more: Any) -> LoopbackFront:
        front = LoopbackFront(reactor, tls=self.tls, **more)
        self.addCleanup(lambda: ensureDeferred(front.stop()))
        self.house = front
        return front

    async def visit(self, **more: Any) -> Client:
        client = await visit(reactor, self.house.port, tls=self.tls, **more)
        self.addCleanup(self._leave, client)
        return client

    async def tunnel(self, **more: Any) -> Client:
        client = await self.visit(**more)
        client.say(TS2021)
        await client.hears(REPLY)
        return client

    def _leave(self, client: Client) -> Deferred[None]:
        if client.lost is None:
            client.wire.abortConnection()
        return ensureDeferred(client.until(lambda: client.lost is not None))


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


class UpstreamFaultTests(FrontCase):
    async def test_early_answer_never_leaks_into_another_visitors_exchange(self) -> None:
        house = self.start()
        house.console.scripts[b"/admin/api/x"] = answers_early_and_twice
        house.console.scripts[b"/admin/api/mine"] = lambda connection, head: connection.say(b"mine")
        for _ in range(20):
            posting, other = await self.visit(), await self.visit()
            posting.say(request("/admin/api/x", "Content-Length: 8", method="POST", body=b"1234"))
            await posting.hears(b"early")
            posting.say(b"5678")
            other.say(request("/admin/api/mine"))
            heard = await other.hears(b"mine")
            self.assertNotIn(b"secret", heard)
            await posting.ends()
        self.assertNotIn(b"secret", bytes(posting.heard))

    async def test_a_second_answer_after_a_whole_request_is_nobodys(self) -> None:
        house = self.start()
        house.console.scripts[b"/admin/api/x"] = answers_twice
        house.console.scripts[b"/admin/api/mine"] = lambda connection, head: connection.say(b"mine")
        for _ in range(20):
            client = await self.visit()
            client.say(request("/admin/api/x") + request("/admin/api/mine"))
            self.assertNotIn(b"secret", await client.hears(b"mine"))

    async def test_dead_before_the_first_byte_is_503_never_502(self) -> None:
        house = self.start()
        house.headscale.scripts[b"/key"] = dies_before_first_byte
        client = await self.visit()
        client.say(KEY)
        heard = await client.hears(b"\r\n\r\n")
        self.assertIn(b" 503 ", heard)
        self.assertIn(b"Retry-After: 1\r\n", heard)

    async def test_a_pooled_connection_that_dies_unused_is_replaced_once(self) -> None:
        house = self.start()
        client = await self.visit()
        client.say(KEY)
        await client.hears(BODY)
        lived = house.headscale.connections[0]
        house.headscale.scripts[b"/key"] = lambda connection, head: (
            connection.wire.abortConnection() if connection is lived else connection.say(BODY)
        )
        client.say(KEY)
        await client.hears(BODY)
        self.assertEqual(house.front.counters()["upstream.retried"], 1)

    async def test_a_pooled_connection_that_was_closed_is_not_used(self) -> None:
        house = self.start()
        client = await self.visit()
        client.say(KEY)
        await client.hears(BODY)
        house.headscale.connections[0].wire.loseConnection()
        client.say(KEY)
        await client.hears(BODY)

    async def test_half_an_answer_closes_both(self) -> None:
        house = self.start()
        house.headscale.scripts[b"/key"] = half_answer
        client = await self.visit()
        client.say(KEY)
        await client.ends()
        self.assertEqual(house.records[0].note, "answer-cut")

    async def test_the_moment_of_a_crash_is_waited_out(self) -> None:
        house = self.start()
        port = house.headscale_port
        await house.headscale.stop()
        clients = [await self.visit() for _ in range(5)]
        for client in clients:
            client.say(KEY)
        await deferLater(reactor, 0.3)
        house.headscale.listen(port)
        for client in clients:
            self.assertIn(b" 200 ", await client.hears(BODY))
        self.assertEqual({record.status for record in house.records}, {200})


class TunnelTests(FrontCase):
    async def test_bytes_in_one_segment_with_the_101_and_with_the_request(self) -> None:
        house = self.start()
        client = await self.visit()
        client.say(TS2021 + b"early bird")
        heard = await client.hears(b"early bird")
        self.assertIn(b"\r\n\r\n" + REPLY, heard)
        connection = house.headscale.connections[0]
        self.assertTrue(connection.seen.endswith(b"\r\n\r\nearly bird"))

    async def test_derp_fast_start(self) -> None:
        self.start()
        client = await self.visit()
        client.say(upgrade("/derp", "DERP", "Derp-Fast-Start: 1", method="GET") + b"info")
        self.assertEqual(await client.hears(b"info"), SERVER_KEY + b"info")

    async def test_a_refused_upgrade_lets_nothing_through(self) -> None:
        house = self.start()
        house.headscale.scripts[b"/ts2021"] = refuses
        client = await self.visit()
        client.say(TS2021 + request("/swagger"))
        await client.ends()
        client = await self.visit()
        client.say(TS2021)
        await deferLater(reactor, 0.05)
        client.say(request("/swagger"))
        self.assertIn(b" 400 ", await client.ends())
        self.assertNotIn(b"swagger", house.headscale.seen)

    async def test_an_upgrade_on_a_connection_that_served_before(self) -> None:
        self.start()
        client = await self.visit()
        client.say(KEY + request("/robots.txt") + TS2021 + b"!")
        await client.hears(REPLY + b"!")

    async def test_the_visitors_end_ends_the_upstream_after_a_flush(self) -> None:
        house = self.start()
        client = await self.tunnel()
        connection = house.headscale.connections[0]
        client.say(b"\0" * 300_000)
        client.wire.loseConnection()
        await eventually(reactor, lambda: connection.lost)
        self.assertEqual(connection.seen.count(b"\0"), 300_000)
        (record,) = house.records
        self.assertEqual((record.route, record.status, record.tunnel, record.note), ("ts2021", 101, True, "visitor-ended"))

    async def test_the_upstreams_end_ends_the_visitor_after_a_flush(self) -> None:
        house = self.start()
        client = await self.tunnel()
        house.headscale.connections[0].wire.write(b"\0" * 300_000)
        house.headscale.connections[0].wire.loseConnection()
        heard = await client.ends()
        self.assertEqual(heard.count(b"\0"), 300_000)

    async def test_a_stalled_reader_holds_no_more_than_buffers_and_then_gets_all(self) -> None:
        house = self.start()
        client = await self.tunnel()
        client.keep, client.count = False, 0
        client.wire.pauseProducing()
        total, piece = 64 * 1024 * 1024, bytes(1024 * 1024)
        sent = 0
        upstream = house.headscale.connections[0]

        class Producer:
            def resumeProducing(self) -> None:
                nonlocal sent
                if sent < total:
                    sent += len(piece)
                    upstream.wire.write(piece)

            def stopProducing(self) -> None: ...

        upstream.wire.registerProducer(Producer(), False)
        await deferLater(reactor, 0.5)
        stalled = sent
        self.assertLess(stalled, 32 * 1024 * 1024)
        await deferLater(reactor, 0.2)
        self.assertEqual(sent, stalled)
        client.wire.resumeProducing()
        await client.hears_count(total)

    async def test_a_peer_that_never_answers_our_end_is_cut(self) -> None:
        house = self.start(limits=FrontLimits(linger=0.3))
        client = await self.tunnel()
        client.wire.pauseProducing()
        house.headscale.connections[0].wire.abortConnection()
        await eventually(reactor, lambda: house.front.counters()["connections.open"] == 0)

    async def test_counters_and_streams_rise_while_open(self) -> None:
        house = self.start()
        client = await self.visit()
        client.say(upgrade("/derp", "DERP", method="GET"))
        await client.hears(SERVER_KEY)
        before = house.front.counters()
        client.say(b"z" * 1000)
        await client.hears(b"z" * 1000)
        after = house.front.counters()
        for way in ("received", "sent"):
            self.assertEqual(after[f"bytes.derp.{way}"] - before[f"bytes.derp.{way}"], 1000)
        (stream,) = house.front.open_streams()
        self.assertEqual((stream.route, stream.peer), ("derp", "127.0.0.1"))
        client.wire.loseConnection()
        await eventually(reactor, lambda: house.records)
        self.assertEqual(house.front.counters()["bytes.derp.received"], after["bytes.derp.received"])
        self.assertEqual(house.front.open_streams(), [])

    async def test_a_dead_peer_would_be_noticed(self) -> None:
        house = self.start()
        await self.tunnel()
        (tunnel,) = house.front._house.tunnels.values()
        sock = tunnel.visitor._socket()  # type: ignore[attr-defined]  # what the kernel was told is not visible otherwise
        self.assertTrue(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 60)
        self.assertEqual(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 90_000)
        self.assertTrue(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


class TunnelTestsTLS(TunnelTests):
    tls = True


class CrowdTests(FrontCase):
    """Figures are printed; what is asserted is that every tunnel lives."""

    tls = True
    timeout = 900

    async def crowd(self, count: int, *, seconds: float = 0.0) -> None:
        house = self.start()
        house.headscale.remember = False
        before = _resident()
        clients: list[Client] = []
        for at in range(0, count, 50):
            some = [ensureDeferred(self.tunnel(source=f"127.0.0.{2 + at // 1000}")) for _ in range(min(50, count - at))]
            clients += await gatherResults(some, consumeErrors=True)
        gc.collect()
        used = (_resident() - before) / count / 1024
        print(f"\n{count} idle TLS tunnels: {used:.1f} KiB each, with both far ends of them in this process")
        self.assertEqual(len(house.front.open_streams()), count)
        await deferLater(reactor, seconds)
        for at in range(0, count, 100):
            for client in clients[at : at + 100]:
                client.say(b"ping")
            await gatherResults([ensureDeferred(client.hears(b"ping")) for client in clients[at : at + 100]], consumeErrors=True)

    async def test_a_thousand_idle_tunnels_all_echo(self) -> None:
        await self.crowd(1000)


if os.environ.get("HSADMIN_LONG") == "1":

    class LongCrowdTests(CrowdTests):
        timeout = 3600

        async def test_9800_idle_tunnels_all_echo_after_ten_minutes(self) -> None:
            await self.crowd(9800, seconds=600)


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class HostileTests(FrontCase):
    async def test_a_slow_loris_and_a_flood_do_not_stop_a_third_client(self) -> None:
        house = self.start(limits=FrontLimits(per_source=16, total=200, head=2.0))
        loris = SlowLoris(reactor, house.port, source="127.0.0.2", count=16)
        await loris.start()
        flood = ConnectFlood(house.port, source="127.0.0.3", count=500)
        self.addCleanup(flood.stop)
        self.addCleanup(loris.stop)
        for _ in range(20):
            loris.drip()
            client = await self.visit(source="127.0.0.4")
            client.say(KEY)
            await client.hears(BODY)
            client.wire.loseConnection()
        await eventually(reactor, lambda: flood.closed() >= 484)
        self.assertGreaterEqual(house.front.counters()["refused.source-connections"], 484)
        await eventually(reactor, lambda: all(client.lost or b" 408 " in client.heard for client in loris.clients))

    async def test_the_same_under_tls(self) -> None:
        self.tls = True
        await self.test_a_slow_loris_and_a_flood_do_not_stop_a_third_client()


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


class StopTestsTLS(StopTests):
    tls = True
