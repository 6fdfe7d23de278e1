"""What was accepted once is compared for ever."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.trust import Accepted, TrustRecord
from hsadmin.errors import BinaryChanged, TrustFileUnusable
from hsadmin.model.engine import Trust

ONE, OTHER = "1" * 64, "2" * 64


def accepted(place: str = "p", version: str = "0.29.3", sha256: str = ONE) -> Accepted:
    return Accepted(place=place, version=version, sha256=sha256, trust=Trust.FIRST_USE, at=1_700_000_000.5)


class TrustTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "trust.json"
        self.record = TrustRecord(self.path)

    def judge(self, sha256: str, *, place: str = "p", version: str = "0.29.3") -> Accepted | None:
        return self.record.must_be_unchanged(place, version, sha256, path=Path("/bin/headscale"), remedy="Do this.")

    def test_nothing_was_accepted_before_the_first(self) -> None:
        self.assertEqual(self.record.all(), ())
        self.assertIsNone(self.judge(ONE))
        self.assertFalse(self.path.exists())

    def test_survives_the_process(self) -> None:
        self.record.accept(accepted())
        self.assertEqual(TrustRecord(self.path).all(), (accepted(),))
        self.assertEqual(self.judge(ONE), accepted())

    def test_is_readable_by_its_owner_alone_and_leaves_nothing_beside_it(self) -> None:
        self.record.accept(accepted())
        self.record.accept(accepted(place="q"))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.folder), ["trust.json"])

    def test_other_bytes_are_a_problem_that_names_both_hashes_and_what_to_do(self) -> None:
        self.record.accept(accepted())
        problem = self.assertRaises(BinaryChanged, self.judge, OTHER)
        for words in ("/bin/headscale", "1" * 12, "2" * 12, "Do this."):
            self.assertIn(words, problem.sentence)
        self.assertNotIn("1" * 13, problem.sentence)
        self.assertEqual(problem.facts["recorded"], ONE)

    def test_another_place_or_version_is_another_decision(self) -> None:
        self.record.accept(accepted())
        self.assertIsNone(self.judge(OTHER, place="q"))
        self.assertIsNone(self.judge(OTHER, version="0.29.2"))

    def test_a_new_acceptance_replaces_the_old_one(self) -> None:
        self.record.accept(accepted())
        self.record.accept(accepted(place="q"))
        self.record.accept(accepted(sha256=OTHER))
        self.assertEqual(self.record.all(), (accepted(place="q"), accepted(sha256=OTHER)))

    def test_a_damaged_record_is_not_an_empty_one(self) -> None:
        for content in (b"", b"{", b"[]", b'{"accepted": [{"place": "p"}]}', b'{"other": 1}', b"\xff\xfe"):
            self.path.write_bytes(content)
            self.assertIn("damaged", self.assertRaises(TrustFileUnusable, self.record.all).sentence, content)
            self.assertRaises(TrustFileUnusable, self.record.accept, accepted())
            self.assertEqual(self.path.read_bytes(), content)

    def test_a_record_that_cannot_be_read_or_written(self) -> None:
        self.path.mkdir()
        self.assertRaises(TrustFileUnusable, self.record.all)
        self.assertRaises(TrustFileUnusable, TrustRecord(self.folder / "none" / "trust.json").accept, accepted())
        self.assertEqual(os.listdir(self.folder), ["trust.json"])
