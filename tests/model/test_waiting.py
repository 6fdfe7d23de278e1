"""A device's id and an SSH session's id are never taken for each other."""

from __future__ import annotations

from hsadmin.model.waiting import CheckId, RegistrationId, waiting_at
from tests.tables import TableCase, table

ID = "hskey-authreq-" + "aB3_-" * 4 + "wxyz"


class Waiting(TableCase):
    @table(
        ("path", f"/register/{ID}", RegistrationId(ID)),
        ("URL", f"https://hs.example.org/register/{ID}", RegistrationId(ID)),
        ("URL with a port, pasted", f" http://127.0.0.1:8080/register/{ID}\n", RegistrationId(ID)),
        ("SSH check", f"https://hs.example.org/auth/{ID}", CheckId(ID)),
    )
    def test_named(self, name: str, address: str, named: RegistrationId | CheckId) -> None:
        found = waiting_at(address)
        self.assertEqual(found, named)
        self.assertIs(type(found), type(named))

    @table(
        ("the bare id", ID),
        ("another door", f"/registers/{ID}"),
        ("below", f"/register/{ID}/x"),
        ("a query", f"/register/{ID}?x"),
        ("too short", f"/register/{ID[:-1]}"),
        ("too long", f"/register/{ID}x"),
        ("host in the path", f"https://x/y/register/{ID}"),
        ("another prefix", "/register/hskey-auth-" + "a" * 27),
    )
    def test_not_named(self, name: str, address: str) -> None:
        self.assertIsNone(waiting_at(address))

    def test_types_differ(self) -> None:
        self.assertNotEqual(RegistrationId(ID), CheckId(ID))

    def test_made_of_ids_only(self) -> None:
        for text in ("", "x", ID + "\n", ID.upper()):
            self.assertRaises(ValueError, RegistrationId, text)

    def test_not_shown_in_full(self) -> None:
        self.assertNotIn(ID, repr(RegistrationId(ID)))
