"""Many tunnels at once."""

from __future__ import annotations

import gc
import os
import resource

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.fakes.crowd import Child
from tests.front.case import FrontCase, on_both


@on_both
class CrowdTests(FrontCase):
    """Figures are printed; what is asserted is that every tunnel lives."""

    tls = True
    timeout = 1800

    async def crowd(self, count: int, *, seconds: float = 0.0) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        house = self.start()
        upstream = self.child("upstream")
        house.headscale_port = int(await upstream.line())
        gc.collect()
        before = _resident()
        visitors = self.child("visitors", str(house.port), str(count))
        self.assertEqual(await visitors.line(), "open")
        gc.collect()
        print(f"\n{count} idle TLS tunnels: {(_resident() - before) / count / 1024:.1f} KiB each in the front's process")
        self.assertEqual(len(house.front.open_streams()), count)
        await deferLater(reactor, seconds)
        self.assertEqual(await visitors.ask(), "echoed")
        self.assertEqual(len(house.front.open_streams()), count)

    def child(self, *arguments: str) -> Child:
        child = Child(*arguments)
        self.addCleanup(child.stop)
        return child

    async def test_a_thousand_idle_tunnels_all_echo(self) -> None:
        await self.crowd(1000)

    if os.environ.get("HSADMIN_LONG") == "1":

        async def test_9800_idle_tunnels_all_echo_after_ten_minutes(self) -> None:
            await self.crowd(9800, seconds=600)


def _resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
