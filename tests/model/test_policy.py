"""A policy is its bytes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.model.policy import Policy


class Policies(SynchronousTestCase):
    def test_equal_by_text_and_time(self) -> None:
        self.assertEqual(Policy(text="{}"), Policy(text="{}"))
        self.assertNotEqual(Policy(text="{}"), Policy(text="{ }"))

    def test_frozen(self) -> None:
        self.assertRaises(AttributeError, setattr, Policy(text="{}"), "text", "{ }")
