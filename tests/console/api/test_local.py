"""The command line's calls over admin.sock."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hsadmin.console.api import LOCAL_CALLS
from hsadmin.errors import HeadscaleDown
from hsadmin.model.users import User
from tests.console.support import Answer, DoorTestCase
from tests.fakes.rooms import SECRET, FakeUsersAndKeys, neighbours

ANN = User(id=1, name="ann", email="ann@example.com")
BOB = User(id=2, name="bob", email="office@example.com")
OIDC_BOB = User(id=3, name="bob", email="office@example.com", provider="oidc")


class Local(DoorTestCase):
    def setUp(self) -> None:
        self.headscale = FakeUsersAndKeys(ANN, BOB, OIDC_BOB)
        self.stub = self.door(LOCAL_CALLS, neighbours(headscale=self.headscale), auth_disabled=False, local=True)

    def post(self, path: str, value: Any) -> Answer:
        return self.ask(self.stub, "POST", path, {"content-type": "application/json"}, json.dumps(value).encode())

    def test_status(self) -> None:
        self.assertEqual(self.ask(self.stub, "GET", "/status").json["headscale"]["phase"], "ready")

    def test_users(self) -> None:
        made = self.post("/users", {"name": "cleo", "display_name": "Cleo"})
        self.assertEqual((made.status, made.json["id"], made.json["name"]), (200, 4, "cleo"))
        self.assertEqual([user["name"] for user in self.ask(self.stub, "GET", "/users").json], ["ann", "bob", "bob", "cleo"])

    def test_a_key(self) -> None:
        answer = self.post("/preauth-keys", {"user": "ann", "reusable": True, "expires_in": 3600}).json
        self.assertEqual((answer["key"], answer["owner"]["name"]), ({"id": 1, "secret": SECRET}, "ann"))
        self.assertEqual((answer["expires"], answer["login_server"]), ("1970-01-01T01:17:40Z", "http://127.0.0.1:8080"))
        expires = datetime.fromtimestamp(1060 + 3600, UTC)
        self.assertEqual(self.headscale.asked, [{"expires": expires, "owner_id": 1, "tags": (), "reusable": True, "ephemeral": False}])

    def test_a_key_owned_by_tags(self) -> None:
        self.assertIsNone(self.post("/preauth-keys", {"tags": ["tag:db"], "ephemeral": True}).json["owner"])
        self.assertEqual(
            [(asked["owner_id"], asked["tags"], asked["ephemeral"]) for asked in self.headscale.asked], [(None, ("tag:db",), True)]
        )

    def test_how_a_user_is_named(self) -> None:
        for text, owner in (("ann", 1), ("ann@example.com", 1), ("2", 2), ("3", 3)):
            with self.subTest(text):
                self.assertEqual(self.post("/preauth-keys", {"user": text}).json["owner"]["id"], owner)

    def test_who_is_not_meant(self) -> None:
        for value, status, code, words in (
            ({"user": "nobody"}, 404, "request.not-found", "There is no user nobody."),
            ({"user": "bob"}, 400, "request.invalid", "bob is the name of 2 users; give one of the ids 2, 3."),
            (
                {"user": "office@example.com"},
                400,
                "request.invalid",
                "office@example.com is the email of 2 users; give one of the ids 2, 3.",
            ),
            ({}, 400, "request.invalid", "A pre-auth key needs a user, or tags, to own the devices that join with it."),
        ):
            with self.subTest(words):
                answer = self.post("/preauth-keys", value)
                self.is_problem(answer, status, code)
                self.assertEqual(answer.json["detail"], words)
        self.assertEqual(self.headscale.asked, [])

    def test_times_that_cannot_be(self) -> None:
        for seconds in (0, -1, 11 * 365 * 24 * 3600, 1.5, "3600"):
            with self.subTest(str(seconds)):
                self.is_problem(self.post("/preauth-keys", {"user": "ann", "expires_in": seconds}), 400, "request.invalid")

    def test_headscale_away(self) -> None:
        self.headscale.fault = HeadscaleDown("headscale is not running.")
        for answer in (self.post("/users", {"name": "dora"}), self.post("/preauth-keys", {"user": "ann"})):
            self.is_problem(answer, 503, "headscale.down")
