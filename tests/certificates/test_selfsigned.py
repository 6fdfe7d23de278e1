"""The small authority: made once, kept, and good for this server's names alone."""

from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.certificates import pair as pairs
from hsadmin.certificates.selfsigned import LEAF_LIFE, RENEW_BEFORE, SelfSigned
from hsadmin.errors import CertificateProblem
from tests.fakes.tls import handshake

NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


class SelfSignedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.now = NOON

    def made(self, *hosts: str) -> SelfSigned:
        return SelfSigned(self.folder, hosts or ("hs.example.com",), lambda: self.now)

    def test_a_second_start_keeps_everything(self) -> None:
        first = self.made().load()
        authority = self.made().ca_pem()
        self.assertEqual(self.made().load().leaf, first.leaf)
        self.assertEqual(self.made().ca_pem(), authority)

    def test_keys_are_for_the_owner_alone(self) -> None:
        self.made().load()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in self.folder.iterdir()}
        self.assertEqual((modes["ca.key"], modes["server.key"]), (0o600, 0o600))
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)

    def test_the_leaf_is_renewed_before_its_end_under_the_same_authority(self) -> None:
        first, authority = self.made().load(), self.made().ca_pem()
        before = self.made().fingerprint()
        self.now += LEAF_LIFE - RENEW_BEFORE
        self.assertNotEqual(self.made().fingerprint(), before)
        self.assertNotEqual(self.made().load().leaf, first.leaf)
        self.assertEqual(self.made().ca_pem(), authority)

    def test_other_names_need_another_authority(self) -> None:
        self.made("a.example.com").load()
        authority = self.made().ca_pem()
        pair = self.made("b.example.com", "192.0.2.7", "[2001:db8::7]").load()
        self.assertEqual(pair.names, ("b.example.com", "192.0.2.7", "2001:db8::7"))
        self.assertNotEqual(self.made().ca_pem(), authority)

    def test_half_a_pair_is_made_anew(self) -> None:
        self.made().load()
        (self.folder / "server.key").write_bytes(b"")
        self.assertEqual(self.made().load().names, ("hs.example.com",))

    def test_a_folder_that_cannot_be_written_is_said(self) -> None:
        self.folder.write_text("a file where the folder should be")
        with self.assertRaisesRegex(CertificateProblem, "cannot be kept in"):
            self.made().load()

    def test_a_client_that_trusts_the_authority_connects_by_every_name(self) -> None:
        source = self.made("hs.example.com", "127.0.0.1")
        context = pairs.context(source.load())
        pem = source.ca_pem()
        assert pem is not None
        for name in ("hs.example.com", "127.0.0.1"):
            self.assertIn(handshake(context, name, pem.decode()), ("TLSv1.3",), name)
        with self.assertRaises(ssl.SSLCertVerificationError):
            handshake(context, "other.example.com", pem.decode())
