"""The tracked example is what the catalogue says, and its commented defaults are the defaults."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.config import example, parse
from hsadmin.config.catalogue import KEYS

FILE = Path("/etc/hsadmin/hsadmin.yaml")
TRACKED = Path(__file__).parents[2] / "contrib/hsadmin.example.yaml"


class Example(SynchronousTestCase):
    def test_the_tracked_file_is_rendered_from_the_catalogue(self) -> None:
        self.assertEqual(
            TRACKED.read_text(encoding="utf-8"),
            example.render(),
            "run: python -m hsadmin.config.example > contrib/hsadmin.example.yaml",
        )

    def test_it_is_a_configuration(self) -> None:
        self.assertEqual(parse(example.render(), FILE), parse("server: {public_url: https://tailnet.example.com}", FILE))

    def test_what_is_commented_out_is_the_default(self) -> None:
        every = re.sub(r"^( *)#(?=[a-z0-9_]+: )", r"\1", example.render(), flags=re.MULTILINE)
        for key in KEYS:
            self.assertRegex(every, rf"(?m)^ *{key.leaf}: ")
        self.assertEqual(replace(parse(every, FILE), source=None), replace(parse(example.render(), FILE), source=None))
