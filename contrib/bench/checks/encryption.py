"""TLS: which versions, which protocols, and hellos that never end."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import warnings

from bench.checks.visitor import HOST_FIELD, PATIENCE, Case, Rows, must, tls
from bench.processes import HOST, cpu_seconds
from bench.tools import NAME

_GET = b"GET /key HTTP/1.1\r\n" + HOST_FIELD + b"\r\n"


def rows() -> Rows:
    yield "TLS 1.2 and 1.3", _modern
    yield "TLS 1.0 and 1.1 are refused", _old
    yield "ALPN: none, http/1.1, and never h2", _protocols
    yield "plain HTTP where TLS is spoken", _plain
    yield "a hello in 1-byte segments", _bytewise
    yield "half a hello costs nothing", _half


def _modern(case: Case) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls()
        context.minimum_version = context.maximum_version = version
        with case.visitor(context) as visitor:
            visitor.send(_GET)
            must(visitor.answer().status == 200, str(version))


def _old(case: Case) -> None:
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with warnings.catch_warnings(), contextlib.suppress(OSError):
            warnings.simplefilter("ignore", DeprecationWarning)
            with case.visitor(tls(newest=version)):
                must(False, f"{version} was served")


def _protocols(case: Case) -> None:
    for offered, chosen in (("", None), ("http/1.1", "http/1.1")):
        with case.visitor(tls(offered)) as visitor:
            must(visitor.socket.selected_alpn_protocol() == chosen, f"{offered!r}: {visitor.socket.selected_alpn_protocol()}")
            visitor.send(_GET)
            must(visitor.answer().status == 200, f"{offered!r}")
    with case.visitor(tls("h2", "http/1.1")) as visitor:
        must(visitor.socket.selected_alpn_protocol() == "http/1.1", "h2 was chosen")
    with contextlib.suppress(OSError), case.visitor(tls("h2")) as visitor:
        must(visitor.socket.selected_alpn_protocol() != "h2", "h2 was chosen")


def _plain(case: Case) -> None:
    """Closed, or told in words that can be read."""
    with socket.create_connection((HOST, case.port), PATIENCE) as plain:
        plain.sendall(_GET)
        said = b""
        with contextlib.suppress(ConnectionError):
            while data := plain.recv(4096):
                said += data
    must(b" 200 " not in said[:20] and b"publicKey" not in said, f"{said!r}")


def _hello() -> bytes:
    """A whole ClientHello."""
    out = ssl.MemoryBIO()
    client = tls().wrap_bio(ssl.MemoryBIO(), out, server_hostname=NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def _bytewise(case: Case) -> None:
    to_us, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls().wrap_bio(to_us, out, server_hostname=NAME)
    with socket.create_connection((HOST, case.port), PATIENCE) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def turn(step: str) -> bool:
            try:
                getattr(client, step)()
                done = True
            except ssl.SSLWantReadError:
                done = False
            for byte in out.read():
                line.sendall(bytes([byte]))
            if not done:
                data = line.recv(65536)
                must(data, f"the connection ended in {step}")
                to_us.write(data)
            return done

        while not turn("do_handshake"):
            pass
        client.write(_GET)
        while not turn("read"):
            pass


def _half(case: Case) -> None:
    hello = _hello()
    lines = [socket.create_connection((HOST, case.port), PATIENCE) for _ in range(20)]
    try:
        for number, line in enumerate(lines):
            line.sendall(hello[: 1 + number * len(hello) // 21])
        time.sleep(0.5)
        pids = case.product.pids()
        before = cpu_seconds(pids)
        time.sleep(1.5)
        used = cpu_seconds(pids) - before
        must(used < 0.15, f"{used:.2f} s of processor time in 1.5 s of silence")
        case.in_order(2)
    finally:
        for line in lines:
            line.close()
