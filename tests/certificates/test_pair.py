"""What is refused as a pair, and what a context made of one agrees to."""

from __future__ import annotations

import contextlib
import datetime
import os
import ssl
import tempfile

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.certificates.pair import Pair, check_validity, context, parse, publicly_trusted, ssl_context
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


class StandardLibraryContextTests(SynchronousTestCase):
    def made(self, pair: Pair) -> ssl.SSLContext:
        before = os.listdir("/proc/self/fd"), os.listdir(tempfile.gettempdir())
        context = ssl_context(pair)
        self.assertEqual((os.listdir("/proc/self/fd"), os.listdir(tempfile.gettempdir())), before, msg="no trace of the key")
        return context

    def agreed(
        self, context: ssl.SSLContext, ca_pem: str, *, alpn: tuple[str, ...] = (), ciphers: str = "", newest: str = "TLSv1_3"
    ) -> ssl.SSLObject:
        trusting = ssl.create_default_context(cadata=ca_pem)
        trusting.maximum_version = ssl.TLSVersion[newest]
        if ciphers:
            trusting.set_ciphers(ciphers)
        if alpn:
            trusting.set_alpn_protocols(list(alpn))
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(to_client, to_server, server_hostname=HOST)
        server = context.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, server, client, server, client):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        if client.version() == "TLSv1.3":
            self.assertEqual(to_client.read(), b"", msg="no tickets")
        return client

    def test_what_is_agreed_on(self) -> None:
        ca = trustme.CA()
        ca_pem = ca.cert_pem.bytes().decode()
        context = self.made(parsed(*pem_pair(ca, HOST)))
        self.assertEqual(self.agreed(context, ca_pem).version(), "TLSv1.3")
        self.assertEqual(self.agreed(context, ca_pem, newest="TLSv1_2").version(), "TLSv1.2")
        for offered, agreed in (((), None), (("h2", "http/1.1"), "http/1.1"), (("h2",), None), (("acme-tls/1",), "acme-tls/1")):
            self.assertEqual(self.agreed(context, ca_pem, alpn=offered).selected_alpn_protocol(), agreed, offered)
        for first, second in (("AES128-GCM-SHA256", "AES256-GCM-SHA384"), ("AES256-GCM-SHA384", "AES128-GCM-SHA256")):
            found = self.agreed(
                context, ca_pem, newest="TLSv1_2", ciphers=f"ECDHE-ECDSA-{first}:ECDHE-ECDSA-{second}:ECDHE-RSA-{first}:ECDHE-RSA-{second}"
            ).cipher()
            assert found is not None
            self.assertTrue(found[0].endswith(first), msg="the client's order")
        self.assertRaises(ssl.SSLError, self.agreed, context, ca_pem, newest="TLSv1_2", ciphers="AES128-SHA:ECDHE-RSA-AES128-SHA")
        self.assertTrue(context.options & ssl.OP_NO_RENEGOTIATION)
        self.assertEqual(context.minimum_version, ssl.TLSVersion.TLSv1_2)

    def test_a_key_that_openssl_does_not_take_leaves_no_trace_either(self) -> None:
        ca = trustme.CA()
        pair, other = parsed(*pem_pair(ca, HOST)), parsed(*pem_pair(ca, HOST))
        self.assertRaises(ssl.SSLError, self.made, Pair(pair.chain, other.key, "mixed"))
        self.made(pair)
