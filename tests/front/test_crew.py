"""The front in several processes: real workers on loopback, with a stand-in for headscale."""

from __future__ import annotations

from tests.fakes.front import LoopbackFront
from tests.front.case import BODY, KEY, FrontCase


class CrewCase(FrontCase):
    workers = 2
    timeout = 120

    async def begin(self, **more: object) -> LoopbackFront:
        house = self.start(workers=self.workers, **more)
        await house.up
        return house


class JourneyTests(CrewCase):
    tls = True

    async def test_a_get_and_a_tunnel(self) -> None:
        await self.begin()
        client = await self.visit()
        client.say(KEY)
        await client.hears(BODY)
        tunnel = await self.tunnel()
        tunnel.say(b"ping")
        await tunnel.hears(b"ping")
