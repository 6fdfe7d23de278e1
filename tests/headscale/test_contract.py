"""The contract, kept by our fake over a real Unix socket."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from twisted.internet import reactor

from hsadmin.headscale.link import Link
from tests.fakes.headscale_grpc import FakeHeadscale, GrpcServer
from tests.headscale.contract import Contract, ContractTests


class FakeTests(ContractTests, Contract):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="hs-")  # short: Unix socket paths end at 107 bytes
        self.addCleanup(folder.cleanup)
        socket_path = Path(folder.name) / "hs.sock"
        self.fake = FakeHeadscale()
        server = GrpcServer(self.fake, socket_path)
        self.addCleanup(server.stop)
        self.link = Link(reactor, time.time)  # type: ignore[arg-type]  # the module has the methods
        self.addCleanup(self.link.down)
        self.link.up(socket_path)

    async def reload(self) -> None:
        self.fake.reload()


del Contract, ContractTests  # trial would run them by themselves
