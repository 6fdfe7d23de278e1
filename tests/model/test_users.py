"""What headscale's own rules say of user names, and we with them."""

from __future__ import annotations

from hsadmin.model.users import user_name_fault
from tests.tables import TableCase, table


class UserNames(TableCase):
    @table(
        ("short", "ab"),
        ("all kinds of characters", "a-B.c_9@example.org"),
        ("letters of other scripts", "жанна"),
        ("longest", "a" * 255),
    )
    def test_taken(self, name: str, given: str) -> None:
        self.assertIsNone(user_name_fault(given))

    @table(
        ("empty", "", "two characters"),
        ("one character", "a", "two characters"),
        ("too long", "a" * 256, "255"),
        ("begins with a digit", "1a", "begins with a letter"),
        ("begins with a dot", ".a", "begins with a letter"),
        ("space", "a b", "' '"),
        ("line break", "ab\n", "'\\n'"),
        ("slash", "a/b", "'/'"),
        ("two ats", "a@b@c", "one @"),
        ("superscript two is no digit", "a\u00b2", "'\u00b2'"),
    )
    def test_refused(self, name: str, given: str, words: str) -> None:
        fault = user_name_fault(given)
        assert fault is not None
        self.assertIn(words, fault)
