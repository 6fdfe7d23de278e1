"""What is refused as a pair, and what a context made of one agrees to."""

from __future__ import annotations

import datetime
import ssl

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.certificates.pair import Pair, check_validity, context, parse, publicly_trusted
from hsadmin.errors import CertificateProblem
from tests.fakes.tls import connect, handshake, pem_pair

HOST = "hs.example.com"
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8


def parsed(chain: bytes, key: bytes) -> Pair:
    return parse(chain, key, chain_name="cert.pem", key_name="key.pem")


class ParseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ca = trustme.CA()
        self.chain, self.key = pem_pair(self.ca, HOST)

    def test_each_fault_names_the_file_and_the_reason(self) -> None:
        other = pem_pair(self.ca, HOST)[1]
        locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"x"))
        odd = x25519.X25519PrivateKey.generate().private_bytes(PEM, PKCS8, serialization.NoEncryption())
        stranger = trustme.CA().cert_pem.bytes()
        for chain, key, sentence in (
            (b"", self.key, "cert.pem holds no PEM certificate"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", self.key, "cert.pem holds no PEM certificate"),
            (self.chain, b"nothing", "key.pem holds no PEM private key"),
            (self.chain, locked, "key.pem is protected by a passphrase"),
            (self.chain, odd, "key.pem holds a key of a kind"),
            (self.chain, other, "The key in key.pem does not belong to the first certificate in cert.pem"),
            (self.chain + stranger, self.key, "The certificates in cert.pem are not in order"),
        ):
            with self.assertRaisesRegex(CertificateProblem, sentence):
                parsed(chain, key)

    def test_names_and_end_are_read(self) -> None:
        pair = parsed(*pem_pair(self.ca, HOST, "192.0.2.1"))
        self.assertEqual(pair.names, (HOST, "192.0.2.1"))
        with self.assertRaisesRegex(CertificateProblem, "ended on"):
            check_validity(pair, pair.ends)
        with self.assertRaisesRegex(CertificateProblem, "not valid before"):
            check_validity(pair, datetime.datetime(1999, 1, 1, tzinfo=datetime.UTC))
        self.assertFalse(publicly_trusted(pair))


class ContextTests(SynchronousTestCase):
    def setUp(self) -> None:
        ca = trustme.CA()
        self.ca_pem = ca.cert_pem.bytes().decode()
        self.context = context(parsed(*pem_pair(ca, HOST)))

    def test_both_versions_are_spoken(self) -> None:
        self.assertEqual(handshake(self.context, HOST, self.ca_pem), "TLSv1.3")
        self.assertEqual(handshake(self.context, HOST, self.ca_pem, newest=ssl.TLSVersion.TLSv1_2), "TLSv1.2")

    def test_alpn_gives_http_1_1_and_nothing_newer(self) -> None:
        for offered, agreed in (((), None), (("h2", "http/1.1"), "http/1.1"), (("http/1.1",), "http/1.1"), (("acme-tls/1",), "acme-tls/1")):
            self.assertEqual(connect(self.context, HOST, self.ca_pem, alpn=offered).selected_alpn_protocol(), agreed, offered)

    def test_a_client_takes_its_own_first_suite(self) -> None:
        client = connect(self.context, HOST, self.ca_pem, newest=ssl.TLSVersion.TLSv1_2)
        found = client.cipher()
        assert found is not None
        self.assertRegex(found[0], "^ECDHE-.*(GCM|POLY1305)")
