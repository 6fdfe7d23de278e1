"""One connection per child: up, down, and what becomes of calls in between. Real grpc, real sockets, our fake behind them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, cast

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from zope.interface.verify import verifyObject

from hsadmin.errors import HeadscaleDown, HeadscaleFailed, HeadscaleSlow, HeadscaleTooLarge, HeadscaleUnsupported
from hsadmin.headscale import link as module
from hsadmin.headscale.channel import Channel
from hsadmin.headscale.link import Link
from hsadmin.headscale.methods import METHODS
from hsadmin.headscale.pb import headscale_pb2 as pb
from hsadmin.interfaces import IHeadscaleLink
from tests.fakes.headscale_grpc import FakeHeadscale, GrpcServer
from tests.headscale.contract import Contract, deferred
from tests.headscale.test_drift import other, renumber


class LinkCase(Contract):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="hs-")  # short: Unix socket paths end at 107 bytes
        self.addCleanup(folder.cleanup)
        self.socket = Path(folder.name) / "hs.sock"
        self.fake = FakeHeadscale()
        self.link = Link(reactor, time.time)  # type: ignore[arg-type]  # the module has the methods
        self.addCleanup(self.link.down)

    def serve(self, **given: Any) -> GrpcServer:
        server = GrpcServer(self.fake, self.socket, **given)
        self.addCleanup(server.stop)
        return server

    def asked(self, call: str) -> int:
        return sum(asked.call == call for asked in self.fake.asked)

    async def until_asked(self, call: str) -> None:
        while not self.asked(call):
            await deferLater(reactor, 0.005)  # the fake's threads do not turn our reactor


class Life(LinkCase):
    def test_is_an_iheadscalelink(self) -> None:
        verifyObject(IHeadscaleLink, self.link)

    @deferred
    async def test_before_the_first_child(self) -> None:
        self.assertFalse(await self.link.healthy())
        await self.refused(HeadscaleDown, self.headscale.list_users())
        await self.refused(HeadscaleDown, self.link.drift())
        self.link.down()

    @deferred
    async def test_child_that_does_not_listen_yet(self) -> None:
        self.link.up(self.socket)
        self.assertFalse(await self.link.healthy())
        problem = await self.refused(HeadscaleDown, self.headscale.create_user("alice"))
        self.assertNotIn("carried out", problem.sentence)
        self.serve()
        while not await self.link.healthy():
            await deferLater(reactor, 0.02)
        await self.headscale.create_user("alice")

    @deferred
    async def test_one_child_after_another(self) -> None:
        """The same object serves, and nothing of the first outage slows the second start."""
        headscale = self.link.headscale
        for number in range(3):
            server = self.serve()
            self.link.up(self.socket)
            await headscale.create_user(f"user{number}")
            self.link.down()
            server.stop()
            await self.refused(HeadscaleDown, headscale.list_users())
        self.assertEqual(len(self.fake.users), 3)

    @deferred
    async def test_down_fails_calls_under_way_at_once(self) -> None:
        self.serve()
        self.link.up(self.socket)
        release = self.fake.hold("CreateUser")
        self.addCleanup(release.set)
        write = Deferred.fromCoroutine(self.headscale.create_user("alice"))
        await self.until_asked("CreateUser")
        self.link.down()
        problem = self.failureResultOf(write, HeadscaleDown).value
        self.assertIn("may have been carried out", str(problem))

    @deferred
    async def test_child_that_dies_in_a_write(self) -> None:
        server = self.serve()
        self.link.up(self.socket)
        release = self.fake.hold("CreateUser")
        write = Deferred.fromCoroutine(self.headscale.create_user("alice"))
        await self.until_asked("CreateUser")
        threading.Timer(0.05, release.set).start()  # stop() waits for its threads
        server.stop()
        problem = await self.refused(HeadscaleDown, write)
        self.assertIn("may have been carried out", problem.sentence)
        self.assertEqual(self.asked("CreateUser"), 1)

    @deferred
    async def test_cancelled(self) -> None:
        self.serve()
        self.link.up(self.socket)
        release = self.fake.hold("ListUsers")
        self.addCleanup(release.set)
        read = Deferred.fromCoroutine(self.headscale.list_users())
        await self.until_asked("ListUsers")
        read.cancel()
        self.failureResultOf(read, CancelledError)
        await self.headscale.list_nodes()

    @deferred
    async def test_socket_with_an_odd_name(self) -> None:
        self.socket = self.socket.with_name("a b%20c#d?.sock")
        self.serve_at_odd_name()
        self.link.up(self.socket)
        self.assertTrue(await self.link.healthy())

    def serve_at_odd_name(self) -> None:
        """Listens under a plain name and moves the socket: how a server spells its own address is not what is tested."""
        plain = self.socket.with_name("plain.sock")
        server = GrpcServer(self.fake, plain)
        self.addCleanup(server.stop)
        plain.rename(self.socket)


class Tries(LinkCase):
    @deferred
    async def test_a_read_is_asked_twice(self) -> None:
        self.serve()
        self.link.up(self.socket)
        self.fake.fail("ListUsers", "UNAVAILABLE")
        await self.headscale.list_users()
        self.assertEqual(self.asked("ListUsers"), 2)

    @deferred
    async def test_and_not_three_times(self) -> None:
        self.serve()
        self.link.up(self.socket)
        self.fake.fail("ListUsers", "UNAVAILABLE")
        self.fake.fail("ListUsers", "UNAVAILABLE")
        await self.refused(HeadscaleDown, self.headscale.list_users())
        self.assertEqual(self.asked("ListUsers"), 2)

    @deferred
    async def test_a_write_once(self) -> None:
        self.serve()
        self.link.up(self.socket)
        self.fake.fail("CreateUser", "UNAVAILABLE")
        await self.refused(HeadscaleDown, self.headscale.create_user("alice"))
        self.assertEqual(self.asked("CreateUser"), 1)

    @deferred
    async def test_a_read_that_was_refused_once(self) -> None:
        self.serve()
        self.link.up(self.socket)
        self.fake.fail("ListUsers", "UNKNOWN", "surprise")
        await self.refused(HeadscaleFailed, self.headscale.list_users())
        self.assertEqual(self.asked("ListUsers"), 1)

    @deferred
    async def test_down_between_the_tries(self) -> None:
        self.serve()
        self.link.up(self.socket)
        self.fake.fail("ListUsers", "UNAVAILABLE")
        read = Deferred.fromCoroutine(self.headscale.list_users())
        await self.until_asked("ListUsers")
        self.link.down()
        await self.refused(HeadscaleDown, read)
        self.assertEqual(self.asked("ListUsers"), 1)


class Sizes(LinkCase):
    @deferred
    async def test_an_answer_beyond_grpcs_own_limit(self) -> None:
        self.serve()
        self.link.up(self.socket)
        self.fake.nodes[1] = pb.Node(id=1, name="x" * 6_000_000)
        (node,) = await self.headscale.list_nodes()
        self.assertEqual(len(node.host_name), 6_000_000)

    @deferred
    async def test_an_answer_beyond_ours(self) -> None:
        self.serve()
        self.link.up(self.socket)
        self.fake.nodes[1] = pb.Node(id=1, name="x" * (65 * 1024 * 1024))
        problem = await self.refused(HeadscaleTooLarge, self.headscale.list_nodes())
        self.assertIn("answer is larger than hsadmin takes", problem.sentence)


class Drift(LinkCase):
    def pool(self, file: FileDescriptorProto) -> DescriptorPool:
        pool = DescriptorPool()
        pool.AddSerializedFile(TIMESTAMP.serialized_pb)
        pool.AddSerializedFile(file.SerializeToString())
        return pool

    @deferred
    async def test_writes_by_calls_that_differ_are_refused(self) -> None:
        server = self.serve(pool=self.pool(other(renumber)))
        self.link.up(self.socket)
        (sentence,) = await self.link.drift()
        self.assertIn("field 1 of headscale.v1.Node is absent", sentence)
        problem = await self.refused(HeadscaleUnsupported, self.headscale.rename_node(1, "x"))
        self.assertIn(sentence, problem.sentence)
        self.assertEqual(self.asked("RenameNode"), 0)
        await self.headscale.list_nodes()
        await self.headscale.create_user("alice")  # says nothing of nodes
        server.stop()
        self.serve()
        self.link.up(self.socket)
        self.fake.nodes[1] = pb.Node(id=1)
        await self.headscale.rename_node(1, "x")

    @deferred
    async def test_no_reflection(self) -> None:
        self.serve(reflect=False)
        self.link.up(self.socket)
        (sentence,) = await self.link.drift()
        self.assertIn("does not describe its interface", sentence)

    @deferred
    async def test_child_gone_meanwhile(self) -> None:
        self.link.up(self.socket)
        await self.refused(HeadscaleDown, self.link.drift())


class Held:
    """A channel that keeps what it is given."""

    fault = staticmethod(lambda error: error)

    def __init__(self) -> None:
        self.started: list[tuple[str, float]] = []
        self.futures: list[Future[Any]] = []

    def start(self, method: Any, request: Any, seconds: float) -> Future[Any]:
        self.started.append((method.name, seconds))
        self.futures.append(Future())
        return self.futures[-1]

    def close(self) -> None:
        pass


class Deadlines(LinkCase):
    def held(self, **given: Any) -> Held:
        channel = Held()
        connect = cast(Callable[[Path], Channel], lambda _: channel)
        self.link = Link(reactor, time.time, connect=connect, **given)  # type: ignore[arg-type]
        self.link.up(self.socket)
        self.addCleanup(self.link.down)
        return channel

    def ask(self, *calls: str) -> None:
        for call in calls:
            Deferred.fromCoroutine(self.link.ask(METHODS[call], METHODS[call].request(), lambda reply: reply)).addErrback(
                lambda failure: failure.trap(HeadscaleDown)
            )

    def test_by_class(self) -> None:
        channel = self.held()
        self.ask("ListUsers", "RenameNode", "SetPolicy")
        self.assertEqual(channel.started, [("ListUsers", 10), ("RenameNode", 30), ("SetPolicy", 60)])

    def test_they_grow_with_the_tailnet(self) -> None:
        channel = self.held(population=lambda: 4000)
        self.ask("RenameNode", "SetPolicy")
        self.assertEqual(channel.started, [("RenameNode", 60), ("SetPolicy", 120)])

    @deferred
    async def test_and_with_what_the_lists_held(self) -> None:
        channel = self.held()
        listed = Deferred.fromCoroutine(self.headscale.list_nodes())
        channel.futures[0].set_result(pb.ListNodesResponse(nodes=[pb.Node(id=number) for number in range(1, 4001)]))
        await listed
        self.ask("RenameNode")
        self.assertEqual(channel.started[-1], ("RenameNode", 60))

    @deferred
    async def test_kept(self) -> None:
        """A late answer ends in HeadscaleSlow."""
        self.serve()
        release = self.fake.hold("CreateUser")
        self.addCleanup(release.set)
        self.patch(module, "deadline", lambda *_: 0.1)
        self.link.up(self.socket)
        problem = await self.refused(HeadscaleSlow, self.headscale.create_user("alice"))
        self.assertIn("may have been carried out", problem.sentence)


class Grpc(LinkCase):
    def test_is_not_imported_before_it_is_needed_and_after_its_switch(self) -> None:
        """GRPC_ENABLE_FORK_SUPPORT counts only if it is set when grpc is imported."""
        program = (
            "import os, sys, time, pathlib; os.environ.pop('GRPC_ENABLE_FORK_SUPPORT', None)\n"
            "import hsadmin.headscale.link as link\n"
            "assert 'grpc' not in sys.modules\n"
            "assert os.environ['GRPC_ENABLE_FORK_SUPPORT'] == '0'\n"
            "link.connect(pathlib.Path('/nowhere')).close()\n"
            "assert 'grpc' in sys.modules\n"
        )
        root = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, check=False
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))


del Contract  # trial would run it by itself
