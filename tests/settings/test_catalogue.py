"""Every key once, with help, and defaults of its own kind."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.settings import SETTINGS
from hsadmin.settings.catalogue import BY_NAME, SECRETS, SECTION_HELP, WHOLE, Shown, Unset


class Catalogue(SynchronousTestCase):
    def test_each_key_once(self) -> None:
        self.assertEqual(len(BY_NAME), len(SETTINGS))

    def test_help_stands_with_every_key_that_is_shown(self) -> None:
        for setting in SETTINGS:
            self.assertEqual(bool(setting.help), setting.shown is not Shown.HIDDEN, setting.name)
            self.assertLess(len(setting.help), 141, setting.name)

    def test_defaults_are_of_their_kind(self) -> None:
        for setting in SETTINGS:
            for value in (setting.default, setting.first):
                if value is not None and not isinstance(value, Unset):
                    self.assertFalse(setting.kind.take(value).odd, f"{setting.name}: {value!r}")

    def test_other_tables_name_keys_that_there_are(self) -> None:
        self.assertTrue(set(BY_NAME) >= SECRETS | WHOLE)
        self.assertTrue(set(SECTION_HELP) <= {setting.path[0] for setting in SETTINGS})
