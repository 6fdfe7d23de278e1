"""The gRPC half on the real headscale: the same contract as our fake's, its texts as we sort them, and the quirks we count on."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from hsadmin.errors import HeadscaleConflict, HeadscaleDown, HeadscaleInvalid, HeadscaleTooLarge, HeadscaleUnknown, PolicyReadOnly, Problem
from hsadmin.headscale.link import Link
from hsadmin.headscale.methods import METHODS
from hsadmin.model.users import TAGGED_DEVICES
from tests.headscale.contract import TAGS, Contract, ContractTests, deferred, waiting
from tests.live.rig import free_port, part

ASK_TWICE = 0.02
READY_SECONDS = 60.0


def configuration(folder: Path, *, batch: str = "5ms") -> Path:
    """A headscale that talks to nobody; node writes wait for `batch` each."""
    derp = folder / "derp.yaml"
    region = {"regionid": 900, "regioncode": "x", "regionname": "x"}
    stun = {"name": "900a", "regionid": 900, "hostname": "127.0.0.1", "stunonly": True, "stunport": 3478}
    derp.write_text(yaml.safe_dump({"regions": {900: {**region, "nodes": [stun]}}}))
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "server_url": f"http://{address}",
        "listen_addr": address,
        "metrics_listen_addr": "",
        "noise": {"private_key_path": str(folder / "noise.key")},
        "prefixes": {"v4": "100.64.0.0/10", "v6": "fd7a:115c:a1e0::/48"},
        "derp": {"server": {"enabled": False}, "urls": [], "paths": [str(derp)], "auto_update_enabled": False},
        "disable_check_updates": True,
        "logtail": {"enabled": False},
        "database": {"type": "sqlite", "sqlite": {"path": str(folder / "db.sqlite")}},
        "policy": {"mode": "database"},
        "dns": {"magic_dns": True, "base_domain": "tailnet.internal", "override_local_dns": False, "nameservers": {"global": []}},
        "unix_socket": str(folder / "hs.sock"),
        "unix_socket_permission": "0700",
        "tuning": {"node_store_batch_timeout": batch},
        "log": {"format": "json", "level": "info"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


class Child(ProcessProtocol):
    """A headscale; `ended` fires when it has."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.said = b""

    def outReceived(self, data: bytes) -> None:
        self.said += data

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)


class RealHeadscale(Contract):
    """Starts one for each test, and asks it until it is ready."""

    def setUp(self) -> Deferred[None]:  # type: ignore[override]  # trial waits for it
        return Deferred.fromCoroutine(self.start_afresh())

    async def start_afresh(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hs-", dir="/tmp"))  # short: Unix socket paths end at 107 bytes
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.link = Link(reactor, time.time)  # type: ignore[arg-type]  # the module has the methods
        await self.start(configuration(self.folder))

    async def start(self, config: Path) -> None:
        self.child = child = Child()
        binary = part("HSADMIN_HEADSCALE")
        self.process = reactor.spawnProcess(child, binary, [binary, "serve", "-c", str(config)], env={"HOME": str(self.folder)})
        self.addCleanup(self.stop, signal.SIGKILL)
        self.link.up(self.folder / "hs.sock")
        until = time.monotonic() + READY_SECONDS
        while not await self.link.healthy():
            if child.ended.called or time.monotonic() > until:
                raise AssertionError(f"headscale did not start: {child.said.decode(errors='replace')}")
            await deferLater(reactor, ASK_TWICE)

    def stop(self, number: int) -> Deferred[None]:
        self.link.down()
        if not self.child.ended.called:
            os.kill(self.process.pid, number)
        return self.child.ended

    async def reload(self) -> None:
        """SIGHUP, and the line that says it is done."""
        await deferLater(reactor, 0.1)  # a signal within 100 ms of the start kills
        os.kill(self.process.pid, signal.SIGHUP)
        await self.said(b"Policy reload completed with changes")

    async def said(self, words: bytes) -> None:
        until = time.monotonic() + READY_SECONDS
        while words not in self.child.said:
            if time.monotonic() > until:
                raise AssertionError(f"never said {words!r}: {self.child.said.decode(errors='replace')}")
            await deferLater(reactor, ASK_TWICE)

    async def raw(self, call: str, **fields: Any) -> Any:
        """The reply to one call as headscale gives it, past every check of ours. Raises a Problem as link sorts it."""
        method = METHODS[call]
        return await self.link.ask(method, method.request(**fields), lambda reply: reply)


class ContractOnHeadscale(ContractTests, RealHeadscale):
    """The same tests as the fake's."""


FUTURE = datetime(2100, 1, 1, tzinfo=UTC)

# Every text that refusals.py sorts and that can be had from a headscale on SQLite without OIDC: call, its fields, problem, words.
TEXTS: tuple[tuple[str, dict[str, Any], type[Problem], str], ...] = (
    ("CreateUser", {"name": "alice"}, HeadscaleConflict, "UNIQUE constraint failed: users.name"),
    ("RenameUser", {"old_id": 2, "new_name": "alice"}, HeadscaleConflict, "UNIQUE constraint failed: users.name"),
    ("RenameUser", {"old_id": 99, "new_name": "x"}, HeadscaleUnknown, "user not found"),
    ("RenameUser", {"old_id": 2, "new_name": ""}, HeadscaleConflict, "expected exactly one user"),
    ("DeleteUser", {"id": 99}, HeadscaleUnknown, "user not found"),
    ("DeleteUser", {"id": 1}, HeadscaleConflict, "user not empty"),
    ("CreatePreAuthKey", {"user": 99, "expiration": FUTURE}, HeadscaleUnknown, "user not found"),
    ("CreatePreAuthKey", {"expiration": FUTURE}, HeadscaleInvalid, "auth-key must be either"),
    ("CreatePreAuthKey", {"acl_tags": ["a"]}, HeadscaleInvalid, "tag must start"),
    ("CreatePreAuthKey", {"acl_tags": ["tag:A"]}, HeadscaleInvalid, "tag should be lowercase"),
    ("CreatePreAuthKey", {"acl_tags": ["tag:a b"]}, HeadscaleInvalid, "tags must not contain spaces"),
    ("AuthRegister", {"user": "alice", "auth_id": "hskey-authreq-" + "z" * 24}, HeadscaleUnknown, "node not found in registration cache"),
    ("AuthRegister", {"user": "alice", "auth_id": "z"}, HeadscaleInvalid, "auth ID has invalid prefix"),
    ("AuthRegister", {"user": "alice", "auth_id": "hskey-authreq-z"}, HeadscaleInvalid, "auth ID has invalid length"),
    ("RegisterNode", {"user": "nobody", "key": "hskey-authreq-" + "z" * 24}, HeadscaleUnknown, "user not found"),
    ("RegisterNode", {"user": "", "key": "hskey-authreq-" + "z" * 24}, HeadscaleConflict, "expected exactly one user"),
    ("DebugCreateNode", {"user": "alice", "key": "hskey-authreq-" + "y" * 24, "routes": ["z"]}, HeadscaleInvalid, "netip.ParsePrefix"),
    ("GetNode", {"node_id": 99}, HeadscaleUnknown, "node not found"),
    ("ListNodes", {"user": "nobody"}, HeadscaleUnknown, "user not found"),
    ("SetTags", {"node_id": 1}, HeadscaleInvalid, "cannot remove all tags"),
    ("SetTags", {"node_id": 1, "tags": ["a"]}, HeadscaleInvalid, "tag must start"),
    ("SetTags", {"node_id": 1, "tags": ["tag:a"]}, HeadscaleInvalid, "are invalid or not permitted"),
    ("SetTags", {"node_id": 99, "tags": ["tag:a"]}, HeadscaleUnknown, "node not found"),
    ("SetApprovedRoutes", {"node_id": 1, "routes": ["10.0.0.0"]}, HeadscaleInvalid, "netip.ParsePrefix"),
    ("SetApprovedRoutes", {"node_id": 99, "routes": ["10.0.0.0/8"]}, HeadscaleUnknown, "node no longer exists in NodeStore"),
    ("RenameNode", {"node_id": 1, "new_name": "a.b"}, HeadscaleInvalid, "renaming node:"),
    ("RenameNode", {"node_id": 1, "new_name": "n2"}, HeadscaleConflict, "node name is not unique"),
    ("RenameNode", {"node_id": 99, "new_name": "x"}, HeadscaleUnknown, "node no longer exists in NodeStore"),
    ("ExpireNode", {"node_id": 99}, HeadscaleUnknown, "node no longer exists in NodeStore"),
    ("ExpireNode", {"node_id": 1, "expiry": FUTURE, "disable_expiry": True}, HeadscaleInvalid, "cannot set both disable_expiry and expiry"),
    ("DeleteNode", {"node_id": 99}, HeadscaleUnknown, "node not found"),
    ("BackfillNodeIPs", {}, HeadscaleInvalid, "not confirmed"),
    ("AuthApprove", {"auth_id": "x"}, HeadscaleInvalid, "auth ID has invalid"),
    ("AuthApprove", {"auth_id": "hskey-authreq-" + "q" * 24}, HeadscaleUnknown, "no pending auth session"),
    ("AuthReject", {"auth_id": "hskey-authreq-" + "q" * 24}, HeadscaleUnknown, "no pending auth session"),
    ("ExpireApiKey", {}, HeadscaleInvalid, "must provide id or prefix"),
    ("ExpireApiKey", {"id": 1, "prefix": "x"}, HeadscaleInvalid, "provide either id or prefix"),
    ("DeleteApiKey", {"id": 99}, HeadscaleUnknown, "record not found"),
    ("GetPolicy", {}, HeadscaleUnknown, "acl policy not found"),
    ("SetPolicy", {"policy": "{"}, HeadscaleInvalid, "setting policy:"),
    ("CheckPolicy", {"policy": "{"}, HeadscaleInvalid, "parsing HuJSON"),
    ("SetPolicy", {"policy": "{}" + " " * 5_000_000}, HeadscaleTooLarge, "received message larger than max"),
)


class OnlyOnHeadscale(RealHeadscale):
    """What the fake does not do, or what it was made from."""

    @deferred
    async def test_texts(self) -> None:
        alice = await self.headscale.create_user("alice")
        await self.headscale.create_user("bob")
        await self.node("a", alice.id, "n1")
        await self.node("b", alice.id, "n2")
        for call, fields, kind, words in TEXTS:
            problem = await self.refused(kind, self.raw(call, **fields))
            self.assertIn(words, str(problem.facts["said"]), call)
            self.assertNotIn("hskey-authreq-" + "q" * 5, str(problem.facts))

    @deferred
    async def test_failing_tests_of_a_policy(self) -> None:
        """The whole of headscale's words is in the facts; the sentence is one line."""
        await self.headscale.create_user("alice")
        bob = await self.headscale.create_user("bob")
        await self.node("a", bob.id, "n1")
        rule = '{"action": "accept", "src": ["alice@"], "dst": ["*:*"]}'
        text = '{"acls": [' + rule + '], "tests": [{"src": "bob@", "accept": ["100.64.0.1:22"]}]}'
        problem = await self.refused(HeadscaleInvalid, self.headscale.check_policy(text))
        self.assertIn("expected ALLOWED, got DENIED", problem.sentence)
        self.assertNotIn("\n", problem.sentence)
        self.assertIn("test(s) failed:\n", str(problem.facts["said"]))

    @deferred
    async def test_read_only_policy(self) -> None:
        self.stop(signal.SIGKILL)
        await self.child.ended
        config = configuration(self.folder)
        policy = self.folder / "policy.hujson"
        policy.write_text("{} // ours\n")
        settings = yaml.safe_load(config.read_text())
        settings["policy"] = {"mode": "file", "path": str(policy)}
        config.write_text(yaml.safe_dump(settings))
        await self.start(config)
        stored = await self.headscale.get_policy()
        assert stored is not None
        self.assertEqual((stored.text, stored.updated_at), ("{} // ours\n", None))
        await self.refused(PolicyReadOnly, self.raw("SetPolicy", policy="{}"))
        await self.headscale.check_policy("{}")

    @deferred
    async def test_comments_of_a_policy_stay(self) -> None:
        await self.headscale.create_user("alice")
        text = "// ours\n" + TAGS + "\n\n\t/* and */\r\n"
        self.assertEqual((await self.headscale.set_policy(text)).text, text)

    @deferred
    async def test_quirks(self) -> None:
        """The traps that rpc.py walks around are still there."""
        alice = await self.headscale.create_user("alice")
        await self.raw("ExpirePreAuthKey", id=99)  # success, though there is no such key
        await self.raw("DeletePreAuthKey", id=99)
        await self.raw("CreatePreAuthKey", user=alice.id)  # without an expiration
        await self.raw("CreateApiKey")
        (key,), (api_key,) = await self.headscale.list_preauth_keys(), await self.headscale.list_api_keys()
        self.assertEqual((key.expires, key.born_expired, api_key.expires, api_key.born_expired), (None, True, None, True))
        await self.raw("CreateUser", name="not a name!")  # stored
        await self.raw("DeleteUser", id=2)
        await self.raw("DebugCreateNode", user="alice", key=waiting("a").text, name="n1", routes=["10.0.0.0/8"])
        node = (await self.raw("AuthRegister", user="", auth_id=waiting("a").text)).node  # an empty name is anybody's
        self.assertEqual((node.user.id, list(node.available_routes)), (alice.id, []))
        await self.headscale.set_policy(TAGS)
        await self.headscale.set_tags(node.id, ["tag:a"])
        self.assertFalse((await self.raw("GetNode", node_id=node.id)).node.HasField("user"))
        self.assertEqual((await self.raw("ListNodes")).nodes[0].user.id, TAGGED_DEVICES)
        await self.raw("CheckPolicy", policy="")  # taken

    @deferred
    async def test_killed_in_a_write(self) -> None:
        """The write fails within the deadline's first second, and says that it may have happened; a new start serves the same object."""
        self.stop(signal.SIGKILL)
        await self.child.ended
        config = configuration(self.folder, batch="30s")
        await self.start(config)
        alice = await self.headscale.create_user("alice")
        await self.headscale.seed_node(waiting("a"), alice.id, "n1")
        register = Deferred.fromCoroutine(self.raw("AuthRegister", user="alice", auth_id=waiting("a").text))
        await self.headscale.list_nodes()  # reads are answered at once, so the write before it has arrived and waits for its batch
        self.assertNoResult(register)
        began = time.monotonic()
        os.kill(self.process.pid, signal.SIGKILL)
        problem = await self.refused(HeadscaleDown, register)
        self.assertLess(time.monotonic() - began, 5)
        self.assertIn("may have been carried out", problem.sentence)
        await self.child.ended
        await self.refused(HeadscaleDown, self.headscale.list_nodes())
        await self.start(config)
        self.assertEqual([user.name for user in await self.headscale.list_users()], ["alice"])


del Contract, ContractTests, RealHeadscale  # trial would run them by themselves
