"""What IHeadscale promises, as tests that run against whatever is behind it: our fake here, the real headscale in tests/live.

A subclass sets `link` (up, on a headscale without users, nodes and policy) in `setUp`, and mixes in a TestCase for real sockets. What one of the two
does and the other does not is a fault of the fake.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from hsadmin.errors import (
    HeadscaleConflict,
    HeadscaleHalfDone,
    HeadscaleInvalid,
    HeadscaleTooLarge,
    HeadscaleUnknown,
    PolicyDoubtful,
    Problem,
)
from hsadmin.headscale.link import Link
from hsadmin.headscale.rpc import Rpc
from hsadmin.interfaces import IHeadscale
from hsadmin.model.nodes import Node, Registered
from hsadmin.model.waiting import CheckId, RegistrationId

TAGS = '{"tagOwners": {"tag:a": ["alice@"], "tag:b": ["alice@"]}, "acls": []}'
BROKEN = '{"acls": [], "nodeAttrs": [{"target": ["nobody@"], "attr": ["randomize-client-port"]}]}'
UNDEFINED = '{"acls": [{"action": "accept", "src": ["group:none"], "dst": ["*:*"]}]}'


def deferred(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Deferred[None]]:
    """A coroutine as trial likes its tests."""

    @wraps(test)
    def run(self: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(self))

    return run


def waiting(letter: str) -> RegistrationId:
    return RegistrationId("hskey-authreq-" + letter * 24)


class Contract(TestCase):
    """See the module."""

    timeout = 60
    link: Link

    @property
    def headscale(self) -> IHeadscale:
        return self.link.headscale

    @property
    def rpc(self) -> Rpc:
        """The adapter itself, for what is not in the interface."""
        headscale = self.link.headscale
        assert isinstance(headscale, Rpc)
        return headscale

    async def refused(self, kind: type[Problem], answer: Awaitable[Any]) -> Problem:
        """The problem that `answer` ends in, exactly of `kind`."""
        try:
            result = await answer
        except Problem as problem:
            self.assertIs(type(problem), kind, problem.sentence)
            self.assertTrue(problem.sentence.endswith("."), problem.sentence)
            self.assertNotIn("Traceback", problem.sentence)
            return problem
        raise AssertionError(f"not refused: {result!r}")

    async def reload(self) -> None:
        """headscale runs the policy that is stored."""
        raise NotImplementedError

    async def node(self, letter: str, owner_id: int, host_name: str) -> Node:
        await self.headscale.seed_node(waiting(letter), owner_id, host_name)
        return await self.headscale.register_node(waiting(letter), owner_id)


class ContractTests:
    """The tests themselves, apart from `Contract` so that trial does not run them without a headscale."""

    @deferred
    async def test_users(self: Any) -> None:
        alice = await self.headscale.create_user("alice", display_name="Alice A.", email="a@example.org", picture_url="https://x.org/a.png")
        bob = await self.headscale.create_user("bob")
        self.assertEqual(
            (alice.name, alice.display_name, alice.email, alice.picture_url, alice.provider),
            ("alice", "Alice A.", "a@example.org", "https://x.org/a.png", ""),
        )
        self.assertLess(abs(datetime.now(UTC) - alice.created_at), timedelta(minutes=1))
        self.assertEqual([user.id for user in await self.headscale.list_users()], [alice.id, bob.id])
        renamed = await self.headscale.rename_user(bob.id, "robert")
        self.assertEqual((renamed.id, renamed.name), (bob.id, "robert"))
        await self.headscale.delete_user(bob.id)
        self.assertEqual(list(await self.headscale.list_users()), [alice])

    @deferred
    async def test_users_refused(self: Any) -> None:
        alice, bob = await self.headscale.create_user("alice"), await self.headscale.create_user("bob")
        await self.refused(HeadscaleConflict, self.headscale.create_user("alice"))
        await self.refused(HeadscaleConflict, self.headscale.rename_user(bob.id, "alice"))
        await self.refused(HeadscaleUnknown, self.headscale.rename_user(99, "carol"))
        await self.refused(HeadscaleUnknown, self.headscale.delete_user(99))
        await self.refused(HeadscaleInvalid, self.headscale.create_user(""))
        await self.refused(HeadscaleInvalid, self.headscale.rename_user(bob.id, "b o b"))
        await self.node("a", alice.id, "n1")
        await self.refused(HeadscaleConflict, self.headscale.delete_user(alice.id))
        self.assertEqual([user.name for user in await self.headscale.list_users()], ["alice", "bob"])

    @deferred
    async def test_preauth_keys(self: Any) -> None:
        alice = await self.headscale.create_user("alice")
        expires = datetime.now(UTC) + timedelta(hours=1)
        mine = await self.headscale.create_preauth_key(expires=expires, owner_id=alice.id, reusable=True, ephemeral=True)
        tagged = await self.headscale.create_preauth_key(expires=expires, tags=["tag:b", "tag:a", "tag:b"])
        self.assertRegex(mine.secret, r"^hskey-auth-.{12}-.{64}$")
        first, second = await self.headscale.list_preauth_keys()
        self.assertEqual(
            (first.id, first.owner_id, first.tags, first.reusable, first.ephemeral, first.used), (mine.id, alice.id, (), True, True, False)
        )
        self.assertEqual((second.id, second.owner_id, second.tags, second.reusable), (tagged.id, None, ("tag:a", "tag:b"), False))
        self.assertEqual(first.masked, mine.secret[:23] + "-***")
        self.assertEqual(first.expires, expires)
        self.assertFalse(first.spent(datetime.now(UTC)))
        await self.headscale.expire_preauth_key(mine.id)
        self.assertTrue((await self.headscale.list_preauth_keys())[0].expired(datetime.now(UTC) + timedelta(seconds=1)))
        await self.headscale.delete_preauth_key(mine.id)
        self.assertEqual([key.id for key in await self.headscale.list_preauth_keys()], [tagged.id])

    @deferred
    async def test_preauth_keys_refused(self: Any) -> None:
        expires = datetime.now(UTC) + timedelta(hours=1)
        await self.refused(HeadscaleUnknown, self.headscale.create_preauth_key(expires=expires, owner_id=99))
        await self.refused(HeadscaleInvalid, self.headscale.create_preauth_key(expires=expires))
        await self.refused(HeadscaleInvalid, self.headscale.create_preauth_key(expires=expires, tags=["a"]))
        await self.refused(HeadscaleInvalid, self.headscale.create_preauth_key(expires=datetime.now(UTC), tags=["tag:a"]))
        await self.refused(HeadscaleUnknown, self.headscale.expire_preauth_key(99))
        await self.refused(HeadscaleUnknown, self.headscale.delete_preauth_key(99))
        self.assertEqual(list(await self.headscale.list_preauth_keys()), [])

    @deferred
    async def test_api_keys(self: Any) -> None:
        expires = datetime.now(UTC) + timedelta(days=1)
        made = await self.headscale.create_api_key(expires=expires)
        self.assertRegex(made.secret, r"^hskey-api-.{12}-.{64}$")
        (key,) = await self.headscale.list_api_keys()
        self.assertEqual((key.id, key.masked, key.expires, key.last_seen), (made.id, made.secret[:22] + "-***", expires, None))
        await self.headscale.expire_api_key(made.id)
        self.assertTrue((await self.headscale.list_api_keys())[0].expired(datetime.now(UTC) + timedelta(seconds=1)))
        await self.headscale.delete_api_key(made.id)
        self.assertEqual(list(await self.headscale.list_api_keys()), [])
        await self.refused(HeadscaleUnknown, self.headscale.expire_api_key(made.id))
        await self.refused(HeadscaleUnknown, self.headscale.delete_api_key(made.id))
        await self.refused(HeadscaleUnknown, self.headscale.delete_api_key(0))

    @deferred
    async def test_nodes(self: Any) -> None:
        alice = await self.headscale.create_user("alice")
        first, second = await self.node("a", alice.id, "n1"), await self.node("b", alice.id, "n1")
        self.assertEqual((first.name, second.name, second.host_name), ("n1", "n1-1", "n1"))
        self.assertEqual(
            (first.owner_id, first.tags, first.registered, first.joined_with, first.ephemeral), (alice.id, (), Registered.CLI, None, False)
        )
        self.assertEqual((first.online, first.expires, len(first.addresses)), (False, None, 2))
        self.assertEqual([first.machine_key[:5], first.node_key[:8], first.disco_key[:9]], ["mkey:", "nodekey:", "discokey:"])
        listed = await self.headscale.list_nodes()
        self.assertEqual([node.id for node in listed], [first.id, second.id])
        self.assertEqual((await self.headscale.get_node(first.id)).addresses, first.addresses)
        renamed = await self.headscale.rename_node(second.id, "Other")
        self.assertEqual((renamed.id, renamed.name), (second.id, "other"))
        await self.headscale.delete_node(first.id)
        self.assertEqual([node.id for node in await self.headscale.list_nodes()], [second.id])
        self.assertEqual(list(await self.headscale.backfill_addresses()), [])

    @deferred
    async def test_expiry(self: Any) -> None:
        alice = await self.headscale.create_user("alice")
        node = await self.node("a", alice.id, "n1")
        later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        self.assertEqual((await self.headscale.expire_node(node.id, later)).expires, later)
        self.assertIsNone((await self.headscale.never_expire_node(node.id)).expires)
        self.assertTrue((await self.headscale.expire_node(node.id)).expired(datetime.now(UTC) + timedelta(seconds=1)))
        self.assertIsNone((await self.headscale.never_expire_node(node.id)).expires)
        self.assertIsNone((await self.headscale.list_nodes())[0].expires)
        await self.refused(HeadscaleInvalid, self.headscale.expire_node(node.id, datetime.now(UTC) - timedelta(days=1)))

    @deferred
    async def test_routes(self: Any) -> None:
        alice = await self.headscale.create_user("alice")
        node = await self.node("a", alice.id, "n1")
        changed = await self.headscale.set_approved_routes(node.id, ["10.1.2.3/24", "10.1.2.0/24", "0.0.0.0/0"])
        self.assertEqual(changed.routes.approved, ("0.0.0.0/0", "10.1.2.0/24", "::/0"))
        self.assertIsNone(changed.routes.serving)
        (listed,) = await self.headscale.list_nodes()
        self.assertEqual(listed.routes.announced, ())
        self.assertFalse(listed.routes.exit_node)
        self.assertEqual((await self.headscale.set_approved_routes(node.id, [])).routes.approved, ())
        await self.refused(HeadscaleInvalid, self.headscale.set_approved_routes(node.id, ["10.0.0.0"]))

    @deferred
    async def test_tags(self: Any) -> None:
        alice = await self.headscale.create_user("alice")
        node = await self.node("a", alice.id, "n1")
        await self.refused(HeadscaleInvalid, self.headscale.set_tags(node.id, ["tag:a"]))  # no policy names its owner
        await self.headscale.set_policy(TAGS)
        tagged = await self.headscale.set_tags(node.id, ["tag:b", "tag:a"])
        self.assertEqual((tagged.tags, tagged.owner_id), (("tag:a", "tag:b"), None))
        (listed,) = await self.headscale.list_nodes()
        self.assertEqual((listed.tags, listed.owner_id), (("tag:a", "tag:b"), None))
        await self.refused(HeadscaleInvalid, self.headscale.set_tags(node.id, []))
        await self.refused(HeadscaleInvalid, self.headscale.set_tags(node.id, ["tag:c"]))

    @deferred
    async def test_nodes_unknown(self: Any) -> None:
        await self.headscale.create_user("alice")
        await self.headscale.set_policy(TAGS)
        for answer in (
            self.headscale.get_node(99),
            self.headscale.rename_node(99, "x"),
            self.headscale.set_tags(99, ["tag:a"]),
            self.headscale.set_approved_routes(99, ["10.0.0.0/8"]),
            self.headscale.expire_node(99),
            self.headscale.never_expire_node(99),
            self.headscale.delete_node(99),
        ):
            await self.refused(HeadscaleUnknown, answer)

    @deferred
    async def test_nodes_refused(self: Any) -> None:
        alice = await self.headscale.create_user("alice")
        await self.node("a", alice.id, "n1")
        second = await self.node("b", alice.id, "n2")
        await self.refused(HeadscaleConflict, self.headscale.rename_node(second.id, "n1"))
        await self.refused(HeadscaleInvalid, self.headscale.rename_node(second.id, "n_1"))
        await self.refused(HeadscaleUnknown, self.headscale.register_node(waiting("z"), alice.id))
        await self.refused(HeadscaleUnknown, self.headscale.register_node(waiting("a"), 99))
        await self.refused(HeadscaleUnknown, self.headscale.register_node(waiting("a"), alice.id))  # it waits no more

    @deferred
    async def test_old_name_of_register(self: Any) -> None:
        alice = await self.headscale.create_user("alice")
        await self.headscale.seed_node(waiting("a"), alice.id, "n1")
        self.assertEqual((await self.rpc.register_node_by_key(waiting("a"), alice.id)).owner_id, alice.id)

    @deferred
    async def test_checks_unknown(self: Any) -> None:
        check = CheckId("hskey-authreq-" + "q" * 24)
        for problem in (
            await self.refused(HeadscaleUnknown, self.headscale.approve_check(check)),
            await self.refused(HeadscaleUnknown, self.headscale.reject_check(check)),
        ):
            self.assertNotIn(check.text, str(problem) + str(problem.facts))

    @deferred
    async def test_policy(self: Any) -> None:
        await self.headscale.create_user("alice")
        self.assertIsNone(await self.headscale.get_policy())
        stored = await self.headscale.set_policy(TAGS, expected="")
        self.assertEqual(stored.text, TAGS)
        self.assertLess(abs(datetime.now(UTC) - stored.updated_at), timedelta(minutes=1))
        self.assertEqual(await self.headscale.get_policy(), stored)
        await self.headscale.check_policy("{}")
        await self.refused(HeadscaleConflict, self.headscale.set_policy("{}", expected=""))
        await self.headscale.set_policy("{}", expected=TAGS)

    @deferred
    async def test_policy_refused(self: Any) -> None:
        for text in ("{", UNDEFINED, BROKEN):
            await self.refused(HeadscaleInvalid, self.headscale.check_policy(text))
            problem = await self.refused(HeadscaleInvalid, self.headscale.set_policy(text))
            self.assertEqual(problem.facts["call"], "CheckPolicy")  # never reached SetPolicy, which would have let BROKEN run
        await self.refused(HeadscaleInvalid, self.headscale.set_policy(" \n"))
        await self.refused(HeadscaleTooLarge, self.headscale.set_policy("{}" + " " * 4 * 1024 * 1024))
        self.assertIsNone(await self.headscale.get_policy())

    @deferred
    async def test_half_done(self: Any) -> None:
        """With a policy running that cannot be compiled, writes happen and are reported as failed: we say both."""
        alice, bob = await self.headscale.create_user("alice"), await self.headscale.create_user("bob")
        node = await self.node("a", alice.id, "n1")
        await self.headscale.set_policy("{}")
        await self.refused(PolicyDoubtful, self.set_unchecked(BROKEN))
        self.assertEqual((await self.headscale.get_policy()).text, "{}")
        await self.refused(HeadscaleHalfDone, self.headscale.create_user("carol"))
        await self.refused(HeadscaleHalfDone, self.headscale.rename_user(bob.id, "robert"))
        await self.refused(HeadscaleHalfDone, self.headscale.delete_node(node.id))
        await self.refused(HeadscaleHalfDone, self.headscale.delete_user(alice.id))
        self.assertEqual([user.name for user in await self.headscale.list_users()], ["robert", "carol"])
        self.assertEqual(list(await self.headscale.list_nodes()), [])
        await self.reload()
        await self.headscale.create_user("dave")

    async def set_unchecked(self: Any, text: str) -> None:
        """SetPolicy as if CheckPolicy had found nothing, which is what a race with a user's deletion looks like."""

        async def nothing(_: str) -> None:
            return None

        self.patch(self.rpc, "check_policy", nothing)
        await self.headscale.set_policy(text)

    @deferred
    async def test_itself(self: Any) -> None:
        self.assertTrue(await self.link.healthy())
        self.assertTrue(await self.headscale.healthy())
        self.assertEqual(list(await self.link.drift()), [])

    @deferred
    async def test_many_at_once(self: Any) -> None:
        made = await gatherResults([Deferred.fromCoroutine(self.headscale.create_user(f"user{i:02}")) for i in range(50)])
        self.assertEqual(len({user.id for user in made}), 50)
        self.assertEqual(len(await self.headscale.list_users()), 50)
        self.assertEqual(self.rpc.population, 50)
