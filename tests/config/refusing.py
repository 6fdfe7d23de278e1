"""What the tests of hsadmin.yaml share: a file that is never looked at, a good text, and the check of a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.config import parse
from hsadmin.errors import ConfigProblem

FILE = Path("/etc/hsadmin/hsadmin.yaml")
GOOD = "server:\n  public_url: https://tailnet.example.com\n"

Row = tuple[str, str, int, Sequence[str]]


class Refusing(SynchronousTestCase):
    def refused(self, text: str, what: str) -> ConfigProblem:
        with self.assertRaises(ConfigProblem, msg=what) as caught:
            parse(text, FILE)
        problem: ConfigProblem = caught.exception
        return problem

    def refused_each(self, rows: Sequence[Row]) -> None:
        """Each in one sentence that begins with its place."""
        for what, text, line, parts in rows:
            sentence = self.refused(text, what).sentence
            place = f"{FILE}, line {line}: " if line else f"{FILE}"
            self.assertTrue(sentence.startswith(place), f"{what}: {sentence}")
            self.assertNotIn("\n", sentence, what)
            self.assertLess(len(sentence), 600, what)
            for part in parts:
                self.assertIn(part, sentence, what)
