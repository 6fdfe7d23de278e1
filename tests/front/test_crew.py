"""The front in several processes: real workers on loopback, with a stand-in for headscale."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import ensureDeferred, gatherResults, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.threads import deferToThread

from hsadmin.errors import FrontWorkerFailed
from hsadmin.front import crew, member
from hsadmin.front.limits import FrontLimits
from hsadmin.interfaces import IFront
from tests.fakes.front import LoopbackFront
from tests.fakes.main import Main
from tests.fakes.memory import request
from tests.fakes.upstream import FakeUpstream, says_nothing
from tests.fakes.visitors import Client, eventually, visit
from tests.front.case import BODY, KEY, TS2021, FrontCase

reactor: Any = _reactor
COME_BACK = 5 * 1.0  # seconds, five times what is promised


class CrewCase(FrontCase):
    timeout = 120
    workers = 2

    async def begin(self, **more: Any) -> LoopbackFront:
        house = self.start(workers=self.workers, **more)
        await house.up
        return house

    async def spread(self, house: LoopbackFront, count: int = 12) -> list[Client]:
        """Tunnels on every worker."""
        tunnels = [await self.tunnel() for _ in range(count)]
        await eventually(reactor, lambda: len(house.front.open_streams()) == count)
        numbers = {stream.id >> 32 for stream in house.front.open_streams()}
        while len(numbers) < self.workers:
            tunnels.append(await self.tunnel())
            await eventually(reactor, lambda: len(house.front.open_streams()) == len(tunnels))
            numbers = {stream.id >> 32 for stream in house.front.open_streams()}
        return tunnels

    async def settled(self, house: LoopbackFront, name: str, value: int) -> None:
        await eventually(reactor, lambda: house.front.counters().get(name) == value)


class JourneyTests(CrewCase):
    async def test_implements_its_interface(self) -> None:
        self.assertTrue(IFront.providedBy((await self.begin()).front))

    async def test_gets_tunnels_and_the_console_are_served_counted_and_recorded(self) -> None:
        house = await self.begin()
        house.console.scripts[b"/admin/api/health"] = lambda connection, head: connection.say(b"well")
        for _ in range(8):
            client = await self.visit()
            client.say(KEY)
            await client.hears(BODY)
        client.say(request("/admin/api/health"))
        await client.hears(b"well")
        tunnels = await self.spread(house)
        for tunnel in tunnels:
            tunnel.say(b"ping")
            await tunnel.hears(b"ping")
        await self.settled(house, "requests.key", 8)
        await self.settled(house, "tunnels.opened", len(tunnels))
        await eventually(reactor, lambda: len(house.records) == 9)
        self.assertEqual({record.peer for record in house.records}, {"127.0.0.1"})
        streams = house.front.open_streams()
        self.assertEqual(len({stream.id for stream in streams}), len(tunnels))
        self.assertEqual(sorted(streams, key=lambda stream: stream.since), streams)
        for tunnel in tunnels:
            tunnel.wire.loseConnection()
        await self.settled(house, "tunnels.closed", len(tunnels))
        self.assertEqual(house.front.open_streams(), [])
        self.assertEqual(sum(record.tunnel for record in house.records), len(tunnels))

    async def test_what_open_tunnels_carry_is_told_while_they_are_open(self) -> None:
        house = await self.begin()
        tunnel = await self.tunnel()
        tunnel.say(b"x" * 100_000)
        await eventually(reactor, lambda: house.front.counters().get("bytes.ts2021.received", 0) >= 100_000)
        (stream,) = house.front.open_streams()
        self.assertGreaterEqual(stream.received, 100_000)

    async def test_the_small_doors(self) -> None:
        house = await self.begin()
        for good in (True, False, True):
            house.ready = (good, "so it is")
            (house.front.resume if good else house.front.park)()
            client = await visit(reactor, house.local_port)
            client.say(request("/readyz", "Connection: close"))
            heard = await client.ends()
            self.assertIn(b" 200 " if good else b" 503 ", heard)
            self.assertIn(b"so it is", heard)
        client = await visit(reactor, house.redirect_port)
        client.say(request("/", "Connection: close"))
        self.assertIn(b" 308 ", await client.ends())
        self.assertEqual([one.purpose for one in house.front.listening()], ["public", "redirect", "local"])

    async def test_a_unix_listener_is_shared_too_and_its_file_goes_with_it(self) -> None:
        house = await self.begin(unix=True)
        path = house.front.listening()[-1].address.removeprefix("unix:")
        heard = await deferToThread(_ask_unix, path, KEY)
        self.assertTrue(heard.endswith(BODY))
        await house.front.stopService()
        self.assertFalse(_exists(path))


class JourneyTestsTLS(JourneyTests):
    tls = True

    async def test_a_new_certificate_reaches_every_worker_and_open_tunnels_stay(self) -> None:
        house = await self.begin()
        assert house.certificates is not None
        tunnels = await self.spread(house)
        before = house.certificates.pem()[0]
        self.assertEqual(await self.shown(house), {before})
        house.certificates.swap()
        after = house.certificates.pem()[0]
        await eventually(reactor, house.crew.settled)
        self.assertEqual(await self.shown(house), {after})
        for tunnel in tunnels:
            tunnel.say(b"still here")
            await tunnel.hears(b"still here")

    async def shown(self, house: LoopbackFront) -> set[bytes]:
        """Certificates that twenty new connections see; fewer than one in a million runs would meet one worker alone."""
        found = [deferToThread(ssl.get_server_certificate, ("127.0.0.1", house.port)) for _ in range(20)]
        return {one.encode() for one in await gatherResults(found)}


class OrderTests(CrewCase):
    async def test_park_close_tunnels_and_resume_reach_every_worker(self) -> None:
        house = await self.begin()
        tunnels = await self.spread(house)
        house.front.park()
        await ensureDeferred(house.front.close_tunnels())
        for connection in house.headscale.connections:
            await eventually(reactor, partial(getattr, connection, "lost"))
        for tunnel in tunnels:
            await tunnel.ends()
        waiting = [await self.visit() for _ in range(12)]
        for client in waiting:
            client.say(KEY)
        await self.settled(house, "parked.now", 12)
        self.assertEqual(house.headscale.heads[len(tunnels) :], [])
        house.front.resume()
        for client in waiting:
            await client.hears(BODY)

    async def test_headscale_may_come_back_elsewhere(self) -> None:
        house = await self.begin()
        house.front.park()
        other = FakeUpstream(reactor)
        house.headscale_port = other.listen()
        self.addCleanup(lambda: ensureDeferred(other.stop()))
        house.front.resume()
        for _ in range(8):
            client = await self.visit()
            client.say(KEY)
            await client.hears(BODY)
        self.assertEqual((len(house.headscale.heads), len(other.heads)), (0, 8))

    async def test_stop_ends_every_process_in_order(self) -> None:
        house = await self.begin(limits=FrontLimits(stop=0.5))
        house.headscale.scripts[b"/key"] = says_nothing
        tunnels = await self.spread(house)
        asking = await self.visit()
        asking.say(KEY)
        await eventually(reactor, lambda: house.headscale.connections[-1].heads)
        pids = house.crew.workers()
        await house.front.stopService()
        self.assertEqual([pid for pid in pids if _alive(pid)], [])
        for tunnel in tunnels:
            await tunnel.ends()
        self.assertEqual(house.front.counters()["tunnels.closed"], len(tunnels))
        self.assertEqual({record.note for record in house.records if record.tunnel}, {"stopping"})
        self.assertEqual(house.front.counters().get("workers.lost", 0), 0)
        self.assertEqual(house.front.listening(), [])
        with self.assertRaises(ConnectionRefusedError):
            await visit(reactor, house.port)

    async def test_signals_for_the_whole_group_are_not_for_workers(self) -> None:
        house = await self.begin()
        tunnels = await self.spread(house)
        for pid in house.crew.workers():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, number)
        for tunnel in tunnels:
            tunnel.say(b"ping")
            await tunnel.hears(b"ping")
        self.assertEqual(house.front.counters().get("workers.lost", 0), 0)


class LossTests(CrewCase):
    tls = True

    async def test_a_killed_worker_is_replaced_and_only_its_tunnels_drop_five_times(self) -> None:
        house = await self.begin()
        took = [await self.lose_one(house) for _ in range(5)]
        print(f"\nreplaced after {', '.join(f'{seconds:.2f}' for seconds in took)} s")
        self.assertLess(max(took), COME_BACK)
        self.assertEqual(house.front.counters()["workers.lost"], 5)
        self.assertIn("worker-lost", {record.note for record in house.records})

    async def lose_one(self, house: LoopbackFront) -> float:
        """Kills the older worker; the seconds until another listened in its place."""
        tunnels = await self.spread(house)
        before = dict(house.front.counters())
        gone = house.crew.workers()[0]
        numbers = [stream.id >> 32 for stream in house.front.open_streams()]
        os.kill(gone, signal.SIGKILL)
        killed = reactor.seconds()
        await eventually(reactor, lambda: gone not in house.crew.workers() and len(house.crew.workers()) == self.workers)
        took = float(reactor.seconds() - killed)
        await eventually(reactor, lambda: sum(tunnel.lost is not None for tunnel in tunnels) == numbers.count(min(numbers)))
        living = [tunnel for tunnel in tunnels if tunnel.lost is None]
        for tunnel in living:
            tunnel.say(b"ping")
            await tunnel.hears(b"ping")
        for _ in range(8):
            client = await self.visit()
            client.say(KEY)
            await client.hears(BODY)
        after = house.front.counters()
        fallen = {name for name in before if after[name] < before[name]} - {"connections.open", "tunnels.open", "parked.now"}
        self.assertEqual(fallen, set())
        for tunnel in living:
            tunnel.wire.abortConnection()
        await self.settled(house, "tunnels.open", 0)
        counters = house.front.counters()
        self.assertEqual(counters["tunnels.opened"], counters["tunnels.closed"])
        return took

    async def test_a_new_worker_knows_how_things_stand(self) -> None:
        house = await self.begin()
        house.front.park()
        for pid in house.crew.workers():
            os.kill(pid, signal.SIGKILL)
        await self.settled(house, "workers.lost", 2)
        await self.settled(house, "workers.running", 2)
        client = await self.visit()
        client.say(KEY)
        await self.settled(house, "parked.now", 1)
        house.front.resume()
        await client.hears(BODY)

    async def test_one_that_says_nothing_is_replaced(self) -> None:
        self.patch(crew, "LOOK", 0.5)
        self.patch(crew, "SILENT", 12)  # a beat comes every five seconds
        house = await self.begin()
        stuck = house.crew.workers()[0]
        os.kill(stuck, signal.SIGSTOP)
        await self.settled(house, "workers.lost", 1)
        await self.settled(house, "workers.running", 2)
        self.assertNotIn(stuck, house.crew.workers())
        self.flushLoggedErrors()

    async def test_close_tunnels_does_not_wait_for_a_stuck_one(self) -> None:
        self.patch(crew, "ORDER", 0.5)
        house = await self.begin()
        tunnels = await self.spread(house)
        os.kill(house.crew.workers()[0], signal.SIGSTOP)
        await ensureDeferred(house.front.close_tunnels())
        for tunnel in tunnels:
            await tunnel.ends()

    async def test_one_that_cannot_start_ends_the_start_with_its_last_words(self) -> None:
        self.patch(member, "COMMAND", ("/bin/sh", "-c", "echo there is no such thing >&2; exit 3"))
        house = self.start(workers=2)
        up, house.up = house.up, succeed(None)
        with self.assertRaises(FrontWorkerFailed) as caught:
            await up
        self.assertIn("there is no such thing", caught.exception.sentence)


class ConfinementTests(CrewCase):
    async def test_workers_have_little_and_can_get_no_more(self) -> None:
        os.environ["HSADMIN_SECRET"] = "x"
        self.addCleanup(os.environ.pop, "HSADMIN_SECRET")
        house = await self.begin()
        for pid in house.crew.workers():
            process = Path(f"/proc/{pid}")
            names = {line.partition("=")[0] for line in (process / "environ").read_text().split("\0") if line}
            self.assertEqual(names - member.INHERITED, set())
            status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
            self.assertEqual((status["NoNewPrivs"], status["Umask"]), ("1", "0077"))
            opened = {os.readlink(descriptor) for descriptor in (process / "fd").iterdir()}
            self.assertEqual({name for name in opened if name.startswith("/")}, {"/dev/null"})

    async def test_they_end_with_a_main_process_that_is_killed(self) -> None:
        """One of them by the end of its pipe; the other is too busy to read that, and the kernel ends it."""
        main = Main()
        port, *pids = map(int, (await main.line()).split())
        self.assertEqual(len(pids), 2)
        os.kill(pids[0], signal.SIGSTOP)
        client = await visit(reactor, port)
        client.say(TS2021)
        main.kill()
        await client.ends()
        await eventually(reactor, lambda: not any(map(_alive, pids)))
        with self.assertRaises(ConnectionRefusedError):
            await visit(reactor, port)


def _exists(path: str) -> bool:
    return Path(path).exists()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _ask_unix(path: str, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(data.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return b"".join(iter(partial(s.recv, 65536), b""))
