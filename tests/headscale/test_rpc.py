"""What rpc.py does beyond asking once. The rest of it is in the contract."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hsadmin.errors import HeadscaleConflict, HeadscaleDown, HeadscaleFailed, HeadscaleUnknown, PolicyDoubtful, Problem
from hsadmin.headscale.methods import Method
from hsadmin.headscale.pb import headscale_pb2 as pb
from hsadmin.headscale.refusals import WireError, problem
from hsadmin.headscale.rpc import Rpc
from hsadmin.interfaces import IHeadscale
from hsadmin.model.waiting import RegistrationId
from tests.fakes.headscale_people import Refuse
from tests.fakes.headscale_state import FakeHeadscale

T = TypeVar("T")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WAITING = RegistrationId("hskey-authreq-" + "a" * 24)


class RpcCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.fake = FakeHeadscale(lambda: NOW)
        self.rpc = Rpc(self.ask, NOW.timestamp)

    async def ask(self, method: Method, request: Message, read: Callable[[Any], T]) -> T:
        """Straight to the fake, by way of the wire format."""
        try:
            reply = self.fake.answer(method.name, method.request.FromString(request.SerializeToString()))
        except Refuse as refused:
            raise problem(method.name, WireError(refused.code, refused.text), changes=method.changes) from None
        return read(method.response.FromString(reply.SerializeToString()))

    def done(self, call: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(call))

    def refused(self, kind: type[Problem], call: Coroutine[Any, Any, Any]) -> Problem:
        value = self.failureResultOf(Deferred.fromCoroutine(call), kind).value
        assert isinstance(value, Problem)
        return value

    def asked(self) -> list[str]:
        return [asked.call for asked in self.fake.asked]


class Whole(RpcCase):
    def test_is_an_iheadscale(self) -> None:
        verifyObject(IHeadscale, self.rpc)

    def test_population_is_the_larger_list(self) -> None:
        for number in range(3):
            self.done(self.rpc.create_user(f"user{number}"))
        self.assertEqual(self.rpc.population, 0)
        self.done(self.rpc.list_users())
        self.done(self.rpc.list_nodes())
        self.assertEqual(self.rpc.population, 3)


class Names(RpcCase):
    """headscale addresses a user by stored name when a device is registered; we by id, and make sure that it is the same user."""

    def oidc(self, user_id: int, name: str, email: str = "") -> None:
        self.fake.users[user_id] = pb.User(id=user_id, name=name, email=email, provider="oidc", provider_id=f"https://idp/{user_id}")

    def test_two_users_of_one_name(self) -> None:
        alice = self.done(self.rpc.create_user("alice"))
        self.oidc(7, "alice")
        self.done(self.rpc.list_users())
        for owner in (alice.id, 7):
            self.refused(HeadscaleConflict, self.rpc.register_node(WAITING, owner))
        self.assertNotIn("AuthRegister", self.asked())

    def test_a_name_that_is_only_shown(self) -> None:
        self.oidc(7, "", "alice@example.org")
        self.assertEqual(self.done(self.rpc.list_users())[0].name, "alice@example.org")
        self.refused(HeadscaleConflict, self.rpc.register_node(WAITING, 7))
        self.assertNotIn("AuthRegister", self.asked())

    def test_a_shown_name_that_another_one_bears(self) -> None:
        self.oidc(7, "", "alice@example.org")
        self.done(self.rpc.create_user("alice@example.org"))
        self.refused(HeadscaleConflict, self.rpc.register_node(WAITING, 7))

    def test_nobody(self) -> None:
        self.refused(HeadscaleUnknown, self.rpc.register_node(WAITING, 0))
        self.assertEqual(self.asked(), [])

    def test_rename_that_is_done_and_reported_as_failed(self) -> None:
        bob = self.done(self.rpc.create_user("bob"))
        self.oidc(7, "alice")
        self.assertEqual(self.done(self.rpc.rename_user(bob.id, "alice")).name, "alice")

    def test_rename_that_failed(self) -> None:
        bob = self.done(self.rpc.create_user("bob"))
        self.done(self.rpc.create_user("alice"))
        self.refused(HeadscaleConflict, self.rpc.rename_user(bob.id, "alice"))


class Keys(RpcCase):
    def test_a_key_that_is_not_there_is_not_asked_for(self) -> None:
        self.refused(HeadscaleUnknown, self.rpc.expire_preauth_key(5))
        self.refused(HeadscaleUnknown, self.rpc.delete_preauth_key(5))
        self.assertEqual(self.asked(), ["ListPreAuthKeys"] * 2)

    def test_an_api_key_whose_number_is_not_known_is_not_lost(self) -> None:
        self.fake.fail("ListApiKeys", "UNKNOWN", "surprise")
        key = self.done(self.rpc.create_api_key(expires=NOW + timedelta(days=1)))
        self.assertIsNone(key.id)
        self.assertTrue(key.secret.startswith("hskey-api-"))

    def test_zero_is_no_api_key(self) -> None:
        """headscale would answer that neither id nor prefix was given."""
        self.refused(HeadscaleUnknown, self.rpc.expire_api_key(0))
        self.assertEqual(self.asked(), [])


class Policies(RpcCase):
    def test_the_order_of_things(self) -> None:
        self.done(self.rpc.set_policy("{}", expected=""))
        self.assertEqual(self.asked(), ["CheckPolicy", "GetPolicy", "SetPolicy", "GetPolicy"])

    def test_changed_meanwhile(self) -> None:
        self.done(self.rpc.set_policy('{"acls": []}'))
        self.refused(HeadscaleConflict, self.rpc.set_policy("{}", expected=""))
        self.assertEqual(self.done(self.rpc.get_policy()).text, '{"acls": []}')  # type: ignore[union-attr]

    def test_refused_after_the_check_is_doubtful(self) -> None:
        self.fake.fail("SetPolicy", "UNKNOWN", "setting policy: verifying SSH rules: no")
        found = self.refused(PolicyDoubtful, self.rpc.set_policy("{}"))
        self.assertIn("verifying SSH rules: no", found.sentence)

    def test_another_text_read_back_is_doubtful(self) -> None:
        self.fake.policies.append(("", self.fake._stamp()))
        self.patch(self.fake, "_SetPolicy", lambda request: pb.SetPolicyResponse(policy=request.policy))
        self.refused(PolicyDoubtful, self.rpc.set_policy("{}"))

    def test_down_is_down(self) -> None:
        self.fake.fail("SetPolicy", "UNAVAILABLE")
        self.refused(HeadscaleDown, self.rpc.set_policy("{}"))


class Health(RpcCase):
    def test_database_away(self) -> None:
        self.fake.database = False
        self.assertFalse(self.done(self.rpc.healthy()))

    def test_headscale_away(self) -> None:
        self.fake.fail("Health", "UNAVAILABLE")
        self.refused(HeadscaleDown, self.rpc.healthy())

    def test_unheard_of(self) -> None:
        self.fake.fail("ListUsers", "INTERNAL", "surprise")
        self.refused(HeadscaleFailed, self.rpc.list_users())
