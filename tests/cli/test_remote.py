"""Commands that ask the running hsadmin, over a real admin.sock with other rooms as fakes."""

from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import getConnectError
from twisted.internet.protocol import Factory, Protocol

from hsadmin import __version__
from hsadmin.cli.remote import Daemon, why
from hsadmin.errors import DaemonAway, DaemonRefused, HeadscaleDown
from hsadmin.model.engine import EngineState, Phase, Trust
from hsadmin.model.front import OpenStream
from hsadmin.model.users import User
from tests.cli.support import CommandTestCase
from tests.fakes.rooms import SECRET, FakeCertificates, FakeEngine, FakeFront, FakeUsersAndKeys, neighbours


class Users(CommandTestCase):
    async def test_create_and_list(self) -> None:
        self.daemon(neighbours(headscale=FakeUsersAndKeys(User(id=1, name="ann", email="ann@example.com"))))
        made = await self.run_command("user", "create", "bob", "-w", str(self.work))
        self.assertEqual((made.status, made.out, made.err), (0, "2\n", "Made the user bob, id 2.\n"))
        listed = await self.run_command("user", "list", "-w", str(self.work))
        self.assertEqual(listed.out, "    1  ann  ann@example.com\n    2  bob\n")
        as_json = await self.run_command("--json", "user", "list", "-w", str(self.work))
        self.assertEqual([user["id"] for user in json.loads(as_json.out)], [1, 2])


class Keys(CommandTestCase):
    async def test_the_key_alone_is_on_stdout(self) -> None:
        headscale = FakeUsersAndKeys(User(id=7, name="me"))
        self.daemon(neighbours(headscale=headscale))
        made = await self.run_command("key", "create", "--user", "me", "--reusable", "--expires", "2d", "-w", str(self.work))
        self.assertEqual((made.status, made.out), (0, f"{SECRET}\n"))
        self.assertEqual(
            made.err,
            "Any number of devices of the user me can join with it for 2 d:\n"
            f"  tailscale up --login-server http://127.0.0.1:8080 --auth-key {SECRET}\n",
        )
        self.assertEqual([(asked["owner_id"], asked["reusable"], asked["ephemeral"]) for asked in headscale.asked], [(7, True, False)])

    async def test_tags(self) -> None:
        headscale = FakeUsersAndKeys()
        self.daemon(neighbours(headscale=headscale))
        made = await self.run_command("key", "create", "--tag", "tag:a", "--tag", "tag:b", "--ephemeral", "-w", str(self.work))
        self.assertIn("One device of tag:a, tag:b can join with it for 1 d:", made.err)
        self.assertEqual(headscale.asked[0]["tags"], ("tag:a", "tag:b"))

    async def test_json(self) -> None:
        self.daemon(neighbours(headscale=FakeUsersAndKeys(User(id=7, name="me"))))
        made = await self.run_command("key", "create", "--user", "me", "--json", "-w", str(self.work))
        self.assertEqual(json.loads(made.out)["key"], {"id": 1, "secret": SECRET})


class Status(CommandTestCase):
    async def test_well(self) -> None:
        front = FakeFront()
        front.streams = [OpenStream(id=1, route="derp", peer="192.0.2.1", since=1.0, received=1, sent=0)]
        self.daemon(neighbours(front=front, certificates=FakeCertificates()))
        ended = await self.run_command("status", "-w", str(self.work))
        self.assertEqual(ended.status, 0)
        self.assertEqual(
            ended.out.splitlines()[:5],
            [
                f"hsadmin {__version__}, up 1 min, at http://127.0.0.1:8080",
                "headscale 0.29.3: ready since 1970-01-01 00:16:40 UTC, process 4711, 0 restarts",
                "listens: 127.0.0.1:8080, no TLS, public",
                "certificate: self-signed for tailnet.example.com until 2027-01-01 (not publicly trusted)",
                "open streams: 1 (derp 1)",
            ],
        )

    async def test_not_well(self) -> None:
        state = EngineState(phase=Phase.CRASH_LOOP, reason="It ends.", last_lines=("one", "two"), trust=Trust.FIRST_USE, warnings=("Odd.",))
        self.daemon(neighbours(engine=FakeEngine(state)))
        ended = await self.run_command("status", "-w", str(self.work))
        self.assertEqual(ended.status, 69)
        for words in ("crash-loop since", "  It ends.\n  | one\n  | two\n  Odd.\n", "trusted on first use: headscale"):
            self.assertIn(words, ended.out)

    async def test_json_is_the_whole_answer(self) -> None:
        self.daemon(neighbours())
        ended = await self.run_command("status", "--json", "-w", str(self.work))
        self.assertEqual(json.loads(ended.out)["headscale"]["phase"], "ready")


class Refused(CommandTestCase):
    async def refusal(self, kind: type[DaemonAway | DaemonRefused], *words: str) -> str:
        try:
            ended = await self.run_command(*words, "-w", str(self.work))
        except kind as problem:
            return problem.sentence
        return self.fail(f"{ended}")

    async def test_what_the_daemon_refuses_is_said_in_its_words(self) -> None:
        headscale = FakeUsersAndKeys()
        self.daemon(neighbours(headscale=headscale))
        self.assertEqual(await self.refusal(DaemonRefused, "key", "create", "--user", "nobody"), "There is no user nobody.")
        headscale.fault = HeadscaleDown("headscale is not running.")
        self.assertEqual(await self.refusal(DaemonRefused, "user", "create", "bob"), "headscale is not running.")

    async def test_nobody_there(self) -> None:
        path = self.work / "run" / "admin.sock"
        expected = f"hsadmin is not running: nobody answers on {path}."
        self.assertEqual(await self.refusal(DaemonAway, "status"), expected)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(os.fspath(path))
        self.assertEqual(await self.refusal(DaemonAway, "status"), expected)

    def test_a_socket_that_is_not_for_this_user(self) -> None:
        """As another user; the errors are those that Twisted makes of the system's."""
        for number, words in (
            (errno.EACCES, "is not for this user"),
            (errno.ECONNREFUSED, "is not running"),
            (errno.ENOENT, "is not running"),
        ):
            self.assertIn(words, why(Path("/run/admin.sock"), getConnectError((number, os.strerror(number)))))

    async def test_a_daemon_that_shuts_this_user_out(self) -> None:
        self.daemon(neighbours(), uid_of=lambda connection: os.getuid() + 1)
        self.assertIn("does not let this user in", await self.refusal(DaemonAway, "status"))

    async def test_a_daemon_that_never_answers(self) -> None:
        path = self.folder / "mute.sock"
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(os.fspath(path))
            mute.listen(4)
            try:
                await Daemon(reactor, path, patience=0.05).get("/status", dict)
            except DaemonAway as problem:
                self.assertEqual(problem.sentence, f"hsadmin on {path} does not answer.")
            else:
                self.fail("it answered")

    async def test_a_stranger_on_the_socket(self) -> None:
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", b"HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\noops"):
            path = self.folder / "strange.sock"
            self.patch(Says, "answer", answer)
            stranger = await UNIXServerEndpoint(reactor, os.fspath(path)).listen(Factory.forProtocol(Says))
            try:
                await Daemon(reactor, path).get("/status", dict[str, str])
            except DaemonRefused as problem:
                self.assertIn("does not understand", problem.sentence)
            else:
                self.fail("it was believed")
            finally:
                await maybeDeferred(stranger.stopListening)


class Says(Protocol):
    """Answers anything with `answer`."""

    answer = b""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(self.answer)
        self.transport.loseConnection()
