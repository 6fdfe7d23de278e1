"""A certificate chain with its key: parsed, checked against each other, and made into a TLS context.

A context is never changed after its first connection (OpenSSL forbids it); a new pair makes a new context.
Versions and suites follow Mozilla's "intermediate" guideline 5.8: TLS 1.2 and 1.3, forward secrecy and AEAD only.
"""

from __future__ import annotations

import datetime
import itertools
import os
import ssl
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from OpenSSL import SSL, crypto

from hsadmin.errors import CertificateProblem

HTTP_1_1 = b"http/1.1"
ACME_TLS_1 = b"acme-tls/1"
SUITES = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    b"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)


@dataclass(frozen=True)
class Pair:
    """`chain` is leaf first; `origin` says for a person where it came from."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes
    origin: str

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def ends(self) -> datetime.datetime:
        """End of validity of whatever in the chain ends first, aware, UTC."""
        return min(certificate.not_valid_after_utc for certificate in self.chain)

    @property
    def names(self) -> tuple[str, ...]:
        """DNS names and addresses that the leaf is good for."""
        try:
            alternatives = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        return (*alternatives.get_values_for_type(x509.DNSName), *map(str, alternatives.get_values_for_type(x509.IPAddress)))


def parse(chain_pem: bytes, key_pem: bytes, *, chain_name: str, key_name: str) -> Pair:
    """Checks that both parse, belong together, and that the chain is in order. Raises CertificateProblem naming the file at fault."""
    try:
        chain = tuple(x509.load_pem_x509_certificates(chain_pem))
    except ValueError as fault:
        raise CertificateProblem(f"{chain_name} holds no PEM certificate that can be read.") from fault
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError as fault:
        raise CertificateProblem(f"{key_name} is protected by a passphrase; hsadmin needs the key without one.") from fault
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise CertificateProblem(f"{key_name} holds no PEM private key that can be read.") from fault
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise CertificateProblem(f"{key_name} holds a key of a kind that TLS clients do not take; use ECDSA P-256 or RSA.")
    if _public(key) != _public_of(chain[0]):
        raise CertificateProblem(f"The key in {key_name} does not belong to the first certificate in {chain_name}.")
    for below, above in itertools.pairwise(chain):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature) as fault:
            raise CertificateProblem(
                f"The certificates in {chain_name} are not in order: each must be signed by the one after it."
            ) from fault
    return Pair(chain, key, chain_name)


def check_validity(pair: Pair, now: datetime.datetime) -> None:
    """Raises CertificateProblem when the pair is not valid at `now` (aware)."""
    if now >= pair.ends:
        raise CertificateProblem(f"The certificate in {pair.origin} ended on {pair.ends:%Y-%m-%d %H:%M} UTC.")
    if now < pair.leaf.not_valid_before_utc:
        raise CertificateProblem(
            f"The certificate in {pair.origin} is not valid before {pair.leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC."
        )


def context(pair: Pair) -> SSL.Context:
    """A server context for new connections: HTTP/1.1 for whoever asks by ALPN or does not, no tickets, the client's order of suites."""
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_mode(SSL.MODE_RELEASE_BUFFERS)
    made.set_cipher_list(SUITES)
    made.use_certificate(pair.leaf)
    for intermediate in pair.chain[1:]:
        made.add_extra_chain_cert(intermediate)
    made.use_privatekey(crypto.PKey.from_cryptography_key(_usable(pair.key)))
    made.set_alpn_select_callback(_select)
    return made


def ssl_context(pair: Pair) -> ssl.SSLContext:
    """As `context`, of the standard library.

    It takes a key from a file only. The file is one of memory (memfd), which never had a name in any directory: nothing that fails in between can
    leave a key on a disk, and nobody else's process can open it.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE  # else AES-256 for clients that would rather have the cheaper AES-128
    made.num_tickets = 0  # tailnet clients never resume, and making tickets costs a tenth of a handshake
    made.set_ciphers(SUITES.decode())
    made.set_alpn_protocols([HTTP_1_1.decode(), ACME_TLS_1.decode()])
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.writelines(pem(pair))
        file.flush()
        made.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return made


def pem(pair: Pair) -> tuple[bytes, bytes]:
    """Chain and key, as files would hold them."""
    chain = b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in pair.chain)
    key = _usable(pair.key).private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return chain, key


def publicly_trusted(pair: Pair) -> bool:
    """Whether the chain verifies against the trust store of this system, which is the best guess at what visitors trust."""
    verifier = SSL.Context(SSL.TLS_CLIENT_METHOD)
    verifier.set_default_verify_paths()
    store = verifier.get_cert_store()
    if store is None:
        return False
    above = [crypto.X509.from_cryptography(certificate) for certificate in pair.chain[1:]]
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(pair.leaf), above).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


def _select(_connection: SSL.Connection, offered: list[bytes]) -> bytes | Any:
    for known in (HTTP_1_1, ACME_TLS_1):
        if known in offered:
            return known
    return SSL.NO_OVERLAPPING_PROTOCOLS


def _usable(key: PrivateKeyTypes) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey), "parse() refuses other kinds"
    return key


def _public(key: PrivateKeyTypes) -> bytes:
    return _usable(key).public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _public_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
