"""Keys are shown masked, and say themselves whether they still open anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hsadmin.model.keys import ApiKey, NewKey, PreAuthKey, mask
from tests.tables import TableCase, table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


class Masks(TableCase):
    @table(
        ("pre-auth key", "hskey-auth-lvON8sf4XaiC-" + "s" * 64, "hskey-auth-lvON8sf4XaiC-***"),
        ("dashes in the first half", "hskey-auth--EZlEwN_KQgq-" + "-" * 64, "hskey-auth--EZlEwN_KQgq-***"),
        ("API key", "hskey-api-U9nYmchw123O-" + "s" * 64, "hskey-api-U9nYmchw123O-***"),
        ("masked already", "hskey-auth-lvON8sf4XaiC-***", "hskey-auth-lvON8sf4XaiC-***"),
        ("cut short", "hskey-auth-short", "hskey-auth-***"),
        ("clear, from before 0.28", "4f1c" + "0" * 44, "4f1c***"),
        ("too short to show any of it", "secret", "***"),
        ("nothing", "", "***"),
    )
    def test_mask(self, name: str, key: str, masked: str) -> None:
        self.assertEqual(mask(key), masked)

    def test_a_new_key_does_not_show_itself(self) -> None:
        key = NewKey(id=1, secret="hskey-auth-lvON8sf4XaiC-" + "s" * 64)
        self.assertNotIn("sss", repr(key) + str(key) + f"{key}" + repr([key]))


class Expiry(TableCase):
    @table(
        ("ahead", LATER, False, False),
        ("now", NOW, False, True),
        ("never", None, False, False),
        ("born expired", None, True, True),
    )
    def test_expired(self, name: str, expires: datetime | None, born_expired: bool, expired: bool) -> None:
        self.assertEqual(PreAuthKey(id=1, masked="", expires=expires, born_expired=born_expired).expired(NOW), expired)
        self.assertEqual(ApiKey(id=1, masked="", expires=expires, born_expired=born_expired).expired(NOW), expired)

    def test_spent(self) -> None:
        self.assertTrue(PreAuthKey(id=1, masked="", expires=LATER, used=True).spent(NOW))
        self.assertFalse(PreAuthKey(id=1, masked="", expires=LATER, used=True, reusable=True).spent(NOW))
        self.assertTrue(PreAuthKey(id=1, masked="", expires=NOW, reusable=True).spent(NOW))
