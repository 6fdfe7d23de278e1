"""What headscale would take, or take amiss, never reaches it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from hsadmin.errors import HeadscaleInvalid, HeadscaleTooLarge
from hsadmin.headscale import inputs
from tests.tables import TableCase, table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Inputs(TableCase):
    def test_node_names_are_lower_case(self) -> None:
        self.assertEqual(inputs.node_name("Web-1"), "web-1")

    def test_tags_are_sorted_and_each_once(self) -> None:
        self.assertEqual(inputs.tags(["tag:b", "tag:a", "tag:b"]), ("tag:a", "tag:b"))

    def test_routes_are_normal_sorted_and_each_once(self) -> None:
        self.assertEqual(inputs.routes(["fd00::1/64", "10.1.2.3/24", "10.1.2.0/24"]), ("10.1.2.0/24", "fd00::/64"))

    @table(
        ("past", NOW - timedelta(seconds=1), "lies in the future"),
        ("now", NOW, "lies in the future"),
        ("without a zone", datetime(2027, 1, 1), "time zone"),
        ("past in another zone", NOW.astimezone(timezone(timedelta(hours=9))), "2026-11-23 12:00:00 UTC"),
    )
    def test_future_refused(self, name: str, at: datetime, words: str) -> None:
        problem = self.assertRaises(HeadscaleInvalid, inputs.future, at, NOW.timestamp())
        self.assertIn(words, problem.sentence)

    def test_future(self) -> None:
        at = NOW + timedelta(seconds=1)
        self.assertIs(inputs.future(at, NOW.timestamp()), at)

    @table(("nothing", ""), ("blanks", " \n\t"))
    def test_empty_policy(self, name: str, text: str) -> None:
        self.assertRaises(HeadscaleInvalid, inputs.policy, text)

    def test_policy_too_large_is_counted_in_bytes(self) -> None:
        self.assertRaises(HeadscaleTooLarge, inputs.policy, "ä" * (inputs.MAX_QUESTION // 2 + 1))
        inputs.policy("a" * inputs.MAX_QUESTION)

    @table(
        ("user", lambda: inputs.user_name("")),
        ("node", lambda: inputs.node_name("a b")),
        ("tag", lambda: inputs.tags(["a"])),
        ("route", lambda: inputs.routes(["10.0.0.0"])),
    )
    def test_sentences_end(self, name: str, call: Callable[[], object]) -> None:
        problem = self.assertRaises(HeadscaleInvalid, call)
        self.assertTrue(problem.sentence.endswith("."))
        self.assertIn("field", problem.facts)
