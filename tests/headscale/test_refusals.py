"""headscale's texts, sorted. That they are its texts is held by tests/live/test_headscale.py."""

from __future__ import annotations

from hsadmin.errors import (
    HeadscaleConflict,
    HeadscaleDown,
    HeadscaleFailed,
    HeadscaleHalfDone,
    HeadscaleInvalid,
    HeadscaleSlow,
    HeadscaleTooLarge,
    HeadscaleUnknown,
    HeadscaleUnsupported,
    PolicyReadOnly,
    Problem,
)
from hsadmin.headscale.refusals import SPOKEN, TEXTS, Row, WireError, problem
from tests.tables import TableCase, table

ATTR = 'compiling nodeAttrs: nodeAttrs target [nobody@]: user not found: token "nobody@"'


class Sorted(TableCase):
    @table(
        ("not found by code", "GetNode", "NOT_FOUND", "node not found", HeadscaleUnknown),
        ("not found by text", "DeleteUser", "UNKNOWN", "user not found", HeadscaleUnknown),
        (
            "not found under a wrong code",
            "SetApprovedRoutes",
            "INVALID_ARGUMENT",
            "node no longer exists in NodeStore: 99",
            HeadscaleUnknown,
        ),
        ("half done beats not found", "CreateUser", "INTERNAL", f"creating user: updating policy manager users: {ATTR}", HeadscaleHalfDone),
        ("half done beats invalid", "SetTags", "INVALID_ARGUMENT", f"updating policy manager: {ATTR}", HeadscaleHalfDone),
        ("a policy's own words", "SetPolicy", "UNKNOWN", f"setting policy: {ATTR}", HeadscaleInvalid),
        ("a policy that updates a policy", "CheckPolicy", "INVALID_ARGUMENT", "updating policy manager", HeadscaleInvalid),
        (
            "PostgreSQL",
            "CreateUser",
            "INTERNAL",
            "ERROR: duplicate key value violates unique constraint (SQLSTATE 23505)",
            HeadscaleConflict,
        ),
        ("read only", "SetPolicy", "UNKNOWN", "update is disabled for modes other than 'database'", PolicyReadOnly),
        ("locked database", "CreateUser", "INTERNAL", "creating user: database is locked (5) (SQLITE_BUSY)", HeadscaleFailed),
        ("unheard of", "CreateUser", "UNKNOWN", "surprise", HeadscaleFailed),
        ("unheard of, invalid", "CreateUser", "INVALID_ARGUMENT", "surprise", HeadscaleInvalid),
        ("not there yet", "CheckPolicy", "UNIMPLEMENTED", "unknown method CheckPolicy", HeadscaleUnsupported),
        ("away", "ListNodes", "UNAVAILABLE", "failed to connect to all addresses", HeadscaleDown),
        ("closed under it", "ListNodes", "CANCELLED", "", HeadscaleDown),
        ("late", "ListNodes", "DEADLINE_EXCEEDED", "Deadline Exceeded", HeadscaleSlow),
        ("our limit", "ListNodes", "RESOURCE_EXHAUSTED", "CLIENT: Received message larger than max (9 vs. 4)", HeadscaleTooLarge),
        ("its limit", "SetPolicy", "RESOURCE_EXHAUSTED", "grpc: received message larger than max (9 vs. 4)", HeadscaleTooLarge),
    )
    def test_kind(self, name: str, call: str, code: str, text: str, kind: type[Problem]) -> None:
        found = problem(call, WireError(code, text))
        self.assertIs(type(found), kind)
        self.assertEqual((found.facts["call"], found.facts["grpc"]), (call, code))

    @table(*((row.fragment or "any", row) for row in TEXTS if row.fragment))
    def test_every_row_is_reached(self, name: str, row: Row) -> None:
        """No row above hides it."""
        call = next(iter(row.calls or {"RenameNode"}))
        text = f"before {row.fragment} after"
        found = problem(call, WireError("UNKNOWN", text))
        self.assertEqual((type(found), found.sentence), (row.problem, row.sentence.format(words=text)))


class Sentences(TableCase):
    def test_a_write_that_was_sent_may_have_happened(self) -> None:
        for code in ("UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"):
            self.assertIn("may have been carried out", problem("CreateUser", WireError(code, "Stream removed"), changes=True).sentence)
            self.assertNotIn("may have been carried out", problem("ListUsers", WireError(code, "Stream removed")).sentence)

    def test_a_write_that_never_left_did_not(self) -> None:
        text = "failed to connect to all addresses; last error: UNKNOWN: unix:/x: connect: No such file or directory (2)"
        self.assertNotIn("carried out", problem("CreateUser", WireError("UNAVAILABLE", text), changes=True).sentence)

    def test_one_line_of_bounded_length_and_the_rest_in_the_facts(self) -> None:
        text = "test(s) failed:\n" + "bob@ -> 100.64.0.1:22: expected ALLOWED, got DENIED\n" * 100
        found = problem("CheckPolicy", WireError("INVALID_ARGUMENT", text))
        self.assertNotIn("\n", found.sentence)
        self.assertLess(len(found.sentence), SPOKEN + 100)
        self.assertEqual(found.facts["said"], text)

    def test_braces_in_headscales_words_are_words(self) -> None:
        self.assertIn("{words} {0}", problem("CreateUser", WireError("UNKNOWN", "a {words} {0} b")).sentence)

    def test_no_id_or_key_is_told(self) -> None:
        secret = "hskey-authreq-" + "q" * 24
        found = problem("CreateUser", WireError("UNKNOWN", f"surprise {secret}"))
        self.assertNotIn(secret, found.sentence + str(found.facts))
