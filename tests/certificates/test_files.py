"""Two files as a source of pairs."""

from __future__ import annotations

import os
from pathlib import Path

import trustme
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.certificates.files import LARGEST, Files
from hsadmin.errors import CertificateProblem
from tests.fakes.tls import pem_pair


class FilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.chain, self.key = folder / "cert.pem", folder / "key.pem"
        chain, key = pem_pair(trustme.CA(), "hs.example.com")
        self.chain.write_bytes(chain)
        self.key.write_bytes(key)
        self.files = Files(self.chain, self.key)

    def test_the_pair_is_loaded(self) -> None:
        self.assertEqual(self.files.load().names, ("hs.example.com",))

    def test_a_rename_over_a_file_changes_the_fingerprint(self) -> None:
        before = self.files.fingerprint()
        self.assertEqual(self.files.fingerprint(), before)
        fresh = self.chain.with_suffix(".new")
        fresh.write_bytes(self.chain.read_bytes())
        os.utime(fresh, ns=(self.chain.stat().st_atime_ns, self.chain.stat().st_mtime_ns))
        fresh.replace(self.chain)
        self.assertNotEqual(self.files.fingerprint(), before)

    def test_a_missing_file_and_a_huge_one_are_named(self) -> None:
        self.key.unlink()
        with self.assertRaisesRegex(CertificateProblem, "key.pem cannot be read: No such file"):
            self.files.load()
        self.key.write_bytes(b"x" * (LARGEST + 1))
        with self.assertRaisesRegex(CertificateProblem, "key.pem is larger than 1 MiB"):
            self.files.load()
