"""Clients on blocking sockets of the standard library, for what polite ones never do. They run in threads: nothing of the reactor takes part."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct

from OpenSSL import SSL

from tests.fakes.memory import upgrade
from tests.fakes.upstream import REPLY

TIMEOUT = 20.0


def call(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def careless(newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Looks at no certificate and would speak versions long dead."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = min(newest, ssl.TLSVersion.TLSv1_2)
    context.maximum_version = newest
    return context


def call_tls(port: int, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, name: str | None = "hs.example") -> ssl.SSLSocket:
    return careless(newest).wrap_socket(call(port), server_hostname=name)


def hear(sock: socket.socket, what: bytes) -> bytes:
    """Until `what` came, or the end."""
    heard = b""
    while what not in heard and (more := sock.recv(65536)):
        heard += more
    return heard


def hear_all(sock: socket.socket) -> bytes:
    heard = b""
    while more := sock.recv(65536):
        heard += more
    return heard


def tunnel(port: int, *, tls: bool) -> socket.socket:
    sock: socket.socket = call_tls(port) if tls else call(port)
    sock.sendall(upgrade())
    assert hear(sock, REPLY).endswith(REPLY)
    return sock


def reset(sock: socket.socket) -> None:
    """Goes without a word: RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(sock, ssl.SSLSocket):
        socket.socket(fileno=sock.detach()).close()
    else:
        sock.close()


def client_hello() -> bytes:
    out = ssl.MemoryBIO()
    talk = careless().wrap_bio(ssl.MemoryBIO(), out, server_hostname="hs.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        talk.do_handshake()
    return out.read()


def renegotiate(port: int) -> bool:
    """Whether the server did a second handshake under TLS 1.2."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    plain = call(port)
    plain.settimeout(None)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(TIMEOUT), 0))
    connection = SSL.Connection(context, plain)
    connection.set_connect_state()
    try:
        connection.do_handshake()
        connection.renegotiate()
        connection.do_handshake()
        connection.send(b"x")
        return bool(connection.total_renegotiations()) and not connection.renegotiate_pending()
    except SSL.Error:
        return False
    finally:
        plain.close()
