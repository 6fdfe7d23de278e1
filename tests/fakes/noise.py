"""The client's side of Tailscale's control protocol transport: Noise IK over an upgraded HTTP connection.

Noise_IK_25519_ChaChaPoly_BLAKE2s with the prologue "Tailscale Control Protocol v<N>".
Initiation: version u16, type 1, length u16, ephemeral key (32), sealed machine key (48), tag (16).
Reply: type 2, length u16, ephemeral key (32), tag (16).
Records: type 4, length u16, at most 4,096 bytes, sealed with a big-endian counter behind four zero bytes.
Blocking sockets, so that hundreds of clients need nothing but threads.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import struct
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

VERSION = 138  # the capability version of Tailscale 1.98
PATIENCE = 30.0  # seconds for any single read
LARGEST_PLAINTEXT = 4096 - 3 - 16


@dataclass(frozen=True)
class Server:
    """Where to knock: a login server's URL, and the TLS context that trusts it (None for http)."""

    url: str
    tls: ssl.SSLContext | None = None

    @property
    def host(self) -> str:
        return str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (443 if self.tls else 80)

    def key(self) -> bytes:
        """The server's public Noise key, by GET /key."""
        with urllib.request.urlopen(f"{self.url}/key?v={VERSION}", context=self.tls, timeout=PATIENCE) as answer:
            return bytes.fromhex(json.load(answer)["publicKey"].removeprefix("mkey:"))

    def connect(self) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout=PATIENCE)
        return plain if self.tls is None else self.tls.wrap_socket(plain, server_hostname=self.host)


class Refused(Exception):
    """The upgrade was answered with something else than 101; holds the answer's head."""


class Noise:
    """An established connection: `send` and `read` carry plaintext."""

    def __init__(self, server: Server, machine: X25519PrivateKey, server_key: bytes) -> None:
        initiation, finish = _initiate(machine, server_key)
        self.socket = server.connect()
        try:
            self._received = b""
            self.socket.sendall(_upgrade(server, initiation))
            self._finish_upgrade()
            self._send, self._receive = finish(self._take(51))
        except BaseException:
            self.socket.close()
            raise
        self._plain = b""
        self._sent_records = self._received_records = 0

    def send(self, plaintext: bytes) -> None:
        for start in range(0, len(plaintext), LARGEST_PLAINTEXT):
            sealed = self._send.encrypt(_nonce(self._sent_records), plaintext[start : start + LARGEST_PLAINTEXT], None)
            self._sent_records += 1
            self.socket.sendall(struct.pack(">BH", 4, len(sealed)) + sealed)

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises EOFError at the end of the connection."""
        while len(self._plain) < count:
            kind, length = struct.unpack(">BH", self._take(3))
            assert kind == 4, kind
            self._plain += self._receive.decrypt(_nonce(self._received_records), self._take(length), None)
            self._received_records += 1
        found, self._plain = self._plain[:count], self._plain[count:]
        return found

    def close(self) -> None:
        self.socket.close()

    def _finish_upgrade(self) -> None:
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, self._received = self._received.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Refused(head.decode("latin-1"))

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            self._more()
        found, self._received = self._received[:count], self._received[count:]
        return found

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._received += data


def _upgrade(server: Server, initiation: bytes) -> bytes:
    return (
        f"POST /ts2021 HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 0\r\n"
        f"Connection: upgrade\r\nUpgrade: tailscale-control-protocol\r\nX-Tailscale-Handshake: {base64.b64encode(initiation).decode()}\r\n\r\n"
    ).encode()


class _Symmetric:
    """Noise's symmetric state: chaining key, handshake hash, and a key that is used once."""

    def __init__(self) -> None:
        self.chain = self.hash = hashlib.blake2s(b"Noise_IK_25519_ChaChaPoly_BLAKE2s").digest()
        self.key = b""

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.blake2s(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        self.chain, self.key = _derive(self.chain, secret)

    def seal(self, plaintext: bytes) -> bytes:
        sealed = ChaCha20Poly1305(self.key).encrypt(bytes(12), plaintext, self.hash)
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        return ChaCha20Poly1305(self.key).decrypt(bytes(12), sealed, self.hash)


Ciphers = tuple[ChaCha20Poly1305, ChaCha20Poly1305]


def _initiate(machine: X25519PrivateKey, server_key: bytes) -> tuple[bytes, Callable[[bytes], Ciphers]]:
    """The initiation, and what makes the two ciphers (ours, theirs) of the reply to it."""
    remote = X25519PublicKey.from_public_bytes(server_key)
    ephemeral = X25519PrivateKey.generate()
    state = _Symmetric()
    state.mix_hash(f"Tailscale Control Protocol v{VERSION}".encode())
    state.mix_hash(server_key)
    public = ephemeral.public_key().public_bytes_raw()
    state.mix_hash(public)
    state.mix_key(ephemeral.exchange(remote))
    sealed_machine = state.seal(machine.public_key().public_bytes_raw())
    state.mix_key(machine.exchange(remote))
    initiation = struct.pack(">HBH", VERSION, 1, 96) + public + sealed_machine + state.seal(b"")

    def finish(reply: bytes) -> Ciphers:
        assert reply[:3] == b"\x02\x00\x30", reply[:3]
        state.mix_hash(reply[3:35])
        theirs = X25519PublicKey.from_public_bytes(reply[3:35])
        state.mix_key(ephemeral.exchange(theirs))
        state.mix_key(machine.exchange(theirs))
        state.open(reply[35:])
        send, receive = _derive(state.chain, b"")
        return ChaCha20Poly1305(send), ChaCha20Poly1305(receive)

    return initiation, finish


def _derive(salt: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """HKDF-BLAKE2s with two outputs."""
    extracted = hmac.new(salt, secret, hashlib.blake2s).digest()
    first = hmac.new(extracted, b"\x01", hashlib.blake2s).digest()
    return first, hmac.new(extracted, first + b"\x02", hashlib.blake2s).digest()


def _nonce(counter: int) -> bytes:
    return bytes(4) + struct.pack(">Q", counter)
