"""The catalogue names what the shape has, and helps with every key."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import get_type_hints

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.config import Config
from hsadmin.config.catalogue import BY_NAME, KEYS, SECTIONS


class Catalogue(SynchronousTestCase):
    def test_catalogue_and_shape_name_the_same_keys(self) -> None:
        shaped: set[str] = set()
        for name, kind in get_type_hints(Config).items():
            if is_dataclass(kind):
                shaped.update(f"{name}.{field.name}" for field in fields(kind))
            elif name not in {"trial", "source"}:
                shaped.add(name)
        self.assertEqual(shaped, set(BY_NAME))
        self.assertEqual(len(KEYS), len(BY_NAME))
        self.assertEqual({key.section for key in KEYS} - {""}, set(SECTIONS))

    def test_every_key_has_help(self) -> None:
        for key in KEYS:
            self.assertTrue(key.help.endswith("."), key.name)
            self.assertTrue(all(len(line) <= 140 for line in key.help.splitlines()), key.name)
