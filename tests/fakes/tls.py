"""TLS in memory: a pyOpenSSL server context against the standard library's client, and certificates for tests."""

from __future__ import annotations

import contextlib
import datetime
import ssl
from collections.abc import Sequence

import trustme
from OpenSSL import SSL


def handshake(context: SSL.Context, host: str, ca_pem: str, *, newest: ssl.TLSVersion | None = None) -> str:
    """The TLS version agreed on. Raises what `connect` raises."""
    return str(connect(context, host, ca_pem, newest=newest).version())


def connect(
    context: SSL.Context, host: str, ca_pem: str, *, alpn: Sequence[str] = (), newest: ssl.TLSVersion | None = None
) -> ssl.SSLObject:
    """A client's side of a finished handshake that verified `host`. Raises what the client raises (ssl.SSLError) or the server does (SSL.Error)."""
    trusting = ssl.create_default_context(cadata=ca_pem)
    if alpn:
        trusting.set_alpn_protocols(list(alpn))
    if newest is not None:
        trusting.maximum_version = newest
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=host)
    server = SSL.Connection(context, None)
    server.set_accept_state()
    done = False
    while not done:
        try:
            client.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        if heard := to_server.read():
            server.bio_write(heard)
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            while True:
                to_client.write(server.bio_read(65536))
    return client


def pem_pair(ca: trustme.CA, *names: str, ends: datetime.datetime | None = None) -> tuple[bytes, bytes]:
    """Chain and key as PEM for `names`."""
    leaf = ca.issue_cert(*names, not_after=ends)
    return b"".join(blob.bytes() for blob in leaf.cert_chain_pems), leaf.private_key_pem.bytes()
