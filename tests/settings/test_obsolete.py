"""Old keys are not new keys, and what to write instead exists."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.settings.catalogue import BY_NAME
from hsadmin.settings.obsolete import OBSOLETE
from tests.settings.samples import edited


class Old(SynchronousTestCase):
    def test_none_is_in_the_catalogue(self) -> None:
        self.assertEqual(set(OBSOLETE) & set(BY_NAME), set())

    def test_what_to_write_instead_exists(self) -> None:
        for name, old in OBSOLETE.items():
            if old.instead.startswith("write "):
                self.assertIn(old.instead.removeprefix("write "), BY_NAME, name)
            if old.unless:
                self.assertIn(old.unless, BY_NAME, name)

    def test_each_is_told_once(self) -> None:
        for name, old in OBSOLETE.items():
            found = edited({name: "x"})
            self.assertEqual((len(found.problems), len(found.warnings)), (1, 0) if old.fatal else (0, 1), name)
