"""Swapping the pair in force: a good one at once, a broken one never."""

from __future__ import annotations

import datetime
from pathlib import Path

import trustme
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hsadmin.certificates.files import Files
from hsadmin.certificates.service import LOOK_EVERY, Certificates
from hsadmin.errors import CertificateProblem
from hsadmin.interfaces import ICertificates
from tests.fakes.tls import handshake, pem_pair


class CertificatesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        folder = Path(self.mktemp())
        folder.mkdir()
        self.chain, self.key = folder / "cert.pem", folder / "key.pem"
        self.old, self.new = trustme.CA(), trustme.CA()
        self.put(*pem_pair(self.old, "hs.example.com"))
        self.certificates = self.made()

    def put(self, chain: bytes, key: bytes) -> None:
        self.chain.write_bytes(chain)
        self.key.write_bytes(key)

    def made(self) -> Certificates:
        source = Files(self.chain, self.key)
        return Certificates(self.clock, source, mode="files", now=lambda: datetime.datetime.now(datetime.UTC), say=self.said.append)

    def trusted_by(self, ca: trustme.CA) -> bool:
        try:
            return bool(handshake(self.certificates.context(), "hs.example.com", ca.cert_pem.bytes().decode()))
        except OSError:
            return False

    def test_it_is_what_the_front_is_given(self) -> None:
        verifyObject(ICertificates, self.certificates)
        self.assertFalse(self.certificates.publicly_trusted)
        self.assertIsNone(self.certificates.ca_pem())
        self.assertIn("files, for hs.example.com, until", self.certificates.summary)

    def test_a_change_is_seen_without_being_told(self) -> None:
        self.certificates.startService()
        self.put(*pem_pair(self.new, "hs.example.com"))
        self.clock.advance(LOOK_EVERY)
        self.assertEqual((self.trusted_by(self.old), self.trusted_by(self.new)), (False, True))
        self.certificates.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_broken_pair_keeps_the_old_and_is_said_once(self) -> None:
        self.put(pem_pair(self.new, "hs.example.com")[0], self.key.read_bytes())
        first, second = self.certificates.reload(), self.certificates.reload()
        self.assertRegex(str(first), "does not belong .* The certificate in force stays")
        self.assertEqual((first, self.said), (second, [first]))
        self.assertTrue(self.trusted_by(self.old))

    def test_an_ended_certificate_is_not_taken(self) -> None:
        self.put(*pem_pair(self.new, "hs.example.com", ends=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)))
        self.assertRegex(str(self.certificates.reload()), "ended on 2020-01-01")
        with self.assertRaisesRegex(CertificateProblem, "ended on"):
            self.made()

    def test_nothing_changed_is_nothing_said(self) -> None:
        self.assertIsNone(self.certificates.reload())
        self.assertEqual(self.said, [])

    def test_both_contexts_change_at_once(self) -> None:
        before = self.certificates.context(), self.certificates.ssl_context(None, ())
        self.assertIs(self.certificates.ssl_context("hs.example.com", ("http/1.1",)), before[1])
        self.put(*pem_pair(self.new, "hs.example.com"))
        self.certificates.reload()
        after = self.certificates.context(), self.certificates.ssl_context(None, ())
        self.assertIsNot(after[0], before[0])
        self.assertIsNot(after[1], before[1])

    def test_an_rsa_key_is_a_finding_and_an_ecdsa_key_is_none(self) -> None:
        self.assertNotIn("RSA", self.certificates.summary)
        leaf = self.new.issue_cert("hs.example.com", key_type=trustme.KeyType.RSA)
        self.put(b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes())
        self.assertIn(
            "Its RSA-2048 key makes every new connection cost about twice what one with an ECDSA P-256 key does.",
            str(self.certificates.reload()),
        )

    def test_those_who_watch_are_told_after_a_swap_and_of_nothing_else(self) -> None:
        told: list[tuple[bytes, bytes]] = []
        remove = self.certificates.watch(lambda _none: told.append(self.certificates.pem()))
        for broken in (True, False):
            chain, key = pem_pair(self.new, "hs.example.com")
            self.put(chain, b"?" if broken else key)
            self.certificates.reload()
        self.assertEqual([chain for chain, _ in told], [chain])
        remove()
        self.put(*pem_pair(self.old, "hs.example.com"))
        self.certificates.reload()
        self.assertEqual(len(told), 1)
