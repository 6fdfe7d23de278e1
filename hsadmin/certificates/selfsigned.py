"""A certificate of our own making, for places where no public authority can be had.

Only devices that were told to trust the small authority made here can join, so the authority is kept for ten years and the certificate below it is
renewed often. The authority's signature counts for this server's names alone (name constraints): a stolen key cannot speak for other sites to the
devices that trust it. New names therefore need a new authority, and are said so.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hsadmin.certificates.pair import Pair, parse
from hsadmin.errors import CertificateProblem

AUTHORITY_LIFE = datetime.timedelta(days=3650)
LEAF_LIFE = datetime.timedelta(days=397)  # Apple's clients refuse longer ones
RENEW_BEFORE = datetime.timedelta(days=60)
CLOCK_SKEW = datetime.timedelta(days=1)


class SelfSigned:
    """Keeps `ca.pem`, `ca.key`, `server.pem` and `server.key` in `folder` (0700), making what is missing, close to its end, or for other names."""

    def __init__(self, folder: Path, hosts: Sequence[str], now: Callable[[], datetime.datetime]) -> None:
        self._folder = folder
        self._hosts = tuple(dict.fromkeys(hosts))
        self._now = now

    def fingerprint(self) -> object:
        """Changes when the certificate should be made anew."""
        try:
            return self._now() < self._read_leaf().ends - RENEW_BEFORE
        except CertificateProblem:
            return None

    def load(self) -> Pair:
        """The pair in force, made anew where needed. Raises CertificateProblem when the folder cannot be written."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            authority = self._authority()
            try:
                leaf = self._read_leaf()
            except CertificateProblem:
                leaf = None
            if leaf is None or not self._good(leaf, authority):
                self._make_leaf(authority)
                leaf = self._read_leaf()
        except OSError as fault:
            raise CertificateProblem(f"The self-signed certificate cannot be kept in {self._folder}: {fault.strerror}.") from fault
        return leaf

    def ca_pem(self) -> bytes | None:
        """The authority's certificate, for visitors to trust."""
        try:
            return (self._folder / "ca.pem").read_bytes()
        except OSError:
            return None

    def _authority(self) -> Pair:
        try:
            found = self._read("ca")
        except CertificateProblem:
            found = None
        if found is not None and self._now() < found.ends - LEAF_LIFE and _permitted(found.leaf) == self._general_names():
            return found
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"hsadmin authority for {self._hosts[0]}"[:64])])
        builder = (
            self._builder(name, name, key, AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.NameConstraints(permitted_subtrees=_subtrees(self._hosts), excluded_subtrees=None), critical=True)
        )
        self._write("ca", builder.sign(key, hashes.SHA256()), key)
        return self._read("ca")

    def _make_leaf(self, authority: Pair) -> None:
        assert isinstance(authority.key, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._hosts[0][:64])])
        builder = (
            self._builder(subject, authority.leaf.subject, key, LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(self._general_names()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        )
        self._write("server", builder.sign(authority.key, hashes.SHA256()), key)

    def _good(self, leaf: Pair, authority: Pair) -> bool:
        try:
            leaf.leaf.verify_directly_issued_by(authority.leaf)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, the remedy is a new one
            return False
        return self._now() < leaf.ends - RENEW_BEFORE and set(leaf.names) == {_plain(host) for host in self._hosts}

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: datetime.timedelta
    ) -> x509.CertificateBuilder:
        now = self._now()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CLOCK_SKEW)
            .not_valid_after(now - CLOCK_SKEW + life)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )

    def _general_names(self) -> list[x509.GeneralName]:
        return [_general_name(host) for host in self._hosts]

    def _read_leaf(self) -> Pair:
        return self._read("server")

    def _read(self, stem: str) -> Pair:
        chain, key = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        try:
            return parse(chain.read_bytes(), key.read_bytes(), chain_name=str(chain), key_name=str(key))
        except OSError as fault:
            raise CertificateProblem(f"{fault.filename} cannot be read: {fault.strerror}.") from fault

    def _write(self, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._put(
            f"{stem}.key",
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
        self._put(f"{stem}.pem", certificate.public_bytes(serialization.Encoding.PEM))

    def _put(self, name: str, content: bytes) -> None:
        """A whole file or none: a crash between the key and its certificate leaves a pair that does not match, which is made anew."""
        fresh = self._folder / f".{name}.new"
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / name)


def _plain(host: str) -> str:
    return host.strip("[]")


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(_plain(host)))
    except ValueError:
        return x509.DNSName(host)


def _subtrees(hosts: Sequence[str]) -> list[x509.GeneralName]:
    """Name constraints hold networks where a certificate holds addresses."""
    named = [_general_name(host) for host in hosts]
    return [x509.IPAddress(ipaddress.ip_network(name.value)) if isinstance(name, x509.IPAddress) else name for name in named]


def _permitted(authority: x509.Certificate) -> list[x509.GeneralName]:
    try:
        constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return []
    return [
        x509.IPAddress(name.value.network_address)
        if isinstance(name, x509.IPAddress) and isinstance(name.value, ipaddress.IPv4Network | ipaddress.IPv6Network)
        else name
        for name in constraints.permitted_subtrees or ()
    ]


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
