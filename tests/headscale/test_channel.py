"""The one module that knows grpc: what its options and its faults come to."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import grpc
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.headscale.channel import LARGEST_ANSWER, OPTIONS, Channel
from hsadmin.headscale.drift import contract, differences, ours
from hsadmin.headscale.methods import METHODS
from hsadmin.headscale.pb import headscale_pb2 as pb
from hsadmin.headscale.refusals import WireError
from tests.fakes.headscale_grpc import FakeHeadscale, GrpcServer

SECONDS = 10.0


class Channels(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="hs-")  # short: Unix socket paths end at 107 bytes
        self.addCleanup(folder.cleanup)
        self.socket = Path(folder.name) / "hs.sock"
        self.fake = FakeHeadscale()

    def channel(self) -> Channel:
        channel = Channel(self.socket)
        self.addCleanup(channel.close)
        return channel

    def serve(self, **given: Any) -> None:
        self.addCleanup(GrpcServer(self.fake, self.socket, **given).stop)

    def fault(self, channel: Channel, call: str, seconds: float = SECONDS) -> WireError:
        try:
            channel.start(METHODS[call], METHODS[call].request(), seconds).result()
        except Exception as error:  # noqa: BLE001 - it is what is asked for
            return channel.fault(error)
        raise AssertionError("no fault")

    def test_an_answer(self) -> None:
        self.serve()
        self.fake.users[7] = pb.User(id=7, name="alice")
        reply = self.channel().start(METHODS["ListUsers"], pb.ListUsersRequest(), SECONDS).result()
        self.assertEqual([user.name for user in reply.users], ["alice"])

    def test_nobody_there_is_said_at_once(self) -> None:
        fault = self.fault(self.channel(), "ListUsers")
        self.assertEqual(fault.code, "UNAVAILABLE")
        self.assertTrue(fault.text.startswith("failed to connect"), fault.text)

    def test_status_and_text(self) -> None:
        self.serve()
        self.fake.fail("ListUsers", "INTERNAL", "surprise")
        fault = self.fault(self.channel(), "ListUsers")
        self.assertEqual((fault.code, fault.text), ("INTERNAL", "surprise"))

    def test_deadline(self) -> None:
        self.serve()
        self.addCleanup(self.fake.hold("ListUsers").set)
        self.assertEqual(self.fault(self.channel(), "ListUsers", 0.1).code, "DEADLINE_EXCEEDED")

    def test_closed_under_a_call(self) -> None:
        self.serve()
        self.addCleanup(self.fake.hold("ListUsers").set)
        channel = Channel(self.socket)
        future = channel.start(METHODS["ListUsers"], pb.ListUsersRequest(), SECONDS)
        closing = threading.Thread(target=channel.close)
        closing.start()
        self.addCleanup(closing.join)
        with self.assertRaises((grpc.RpcError, grpc.FutureCancelledError)) as caught:
            future.result()
        self.assertEqual(channel.fault(caught.exception).code, "CANCELLED")

    def test_description(self) -> None:
        self.serve()
        self.assertEqual(differences(ours(), contract(self.channel().describe(SECONDS))), ())

    def test_no_description(self) -> None:
        self.serve(reflect=False)
        self.assertEqual(self.assertRaises(WireError, self.channel().describe, SECONDS).code, "UNIMPLEMENTED")

    def test_no_description_when_closed(self) -> None:
        channel = Channel(self.socket)
        channel.close()
        self.assertEqual(self.assertRaises(WireError, channel.describe, SECONDS).code, "CANCELLED")

    def test_options(self) -> None:
        """headscale answers keepalive with GOAWAY, and an authority made of a path is not for a header."""
        options = dict(OPTIONS)
        self.assertFalse([name for name in options if "keepalive" in name])
        self.assertEqual((options["grpc.default_authority"], options["grpc.max_receive_message_length"]), ("localhost", LARGEST_ANSWER))
