"""Far ends of many tunnels, each side in a process of its own: descriptors and memory of the process under test are then the front's alone.

    python -m tests.fakes.crowd upstream             prints its port, then serves until its input ends
    python -m tests.fakes.crowd visitors PORT COUNT  opens tunnels over TLS, prints "open"; for each line of input pings all and prints "echoed"

The visitors are plain blocking sockets of the standard library: nothing of what is tested takes part in the test of it.
"""

from __future__ import annotations

import os
import resource
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from tests.fakes.memory import upgrade
from tests.fakes.upstream import REPLY, FakeUpstream

reactor: Any = _reactor


class Child(ProcessProtocol):
    """One of the two processes; `line` is the next one it prints."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._buffer = b""
        self._wanted: Deferred[str] | None = None
        self.ended: Deferred[None] = Deferred()
        command = [sys.executable, "-m", "tests.fakes.crowd", *arguments]
        found = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}  # trial runs tests in a folder of its own
        reactor.spawnProcess(self, sys.executable, command, env=found, childFDs={0: "w", 1: "r", 2: 2})

    def outReceived(self, data: bytes) -> None:
        self._buffer += data
        self._look()

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)
        if self._wanted is not None:
            self._wanted.errback(RuntimeError(f"{self._arguments} ended: {reason.value}"))

    def line(self) -> Deferred[str]:
        self._wanted = Deferred()
        wanted = self._wanted
        self._look()
        return wanted

    def ask(self) -> Deferred[str]:
        self.transport.write(b"\n")  # type: ignore[union-attr]  # Twisted declares it optional
        return self.line()

    def stop(self) -> Deferred[None]:
        self.transport.closeStdin()  # type: ignore[union-attr]
        return self.ended

    def _look(self) -> None:
        line, end, rest = self._buffer.partition(b"\n")
        if end and self._wanted is not None:
            self._buffer = rest
            wanted, self._wanted = self._wanted, None
            wanted.callback(line.decode())


class _UntilInputEnds(LineOnlyReceiver):
    def connectionLost(self, reason: Failure | None = None) -> None:
        if reactor.running:
            reactor.stop()


def _serve() -> None:
    upstream = FakeUpstream(reactor)
    upstream.remember = False
    print(upstream.listen(), flush=True)
    StandardIO(_UntilInputEnds())
    reactor.run()


def _visit(port: int, count: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tunnels = []
    for at in range(count):
        plain = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(f"127.0.0.{2 + at // 1000}", 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tunnel = context.wrap_socket(plain, server_hostname="hs.example")
        tunnel.sendall(upgrade())
        heard = b""
        while not heard.endswith(REPLY):
            heard += _some(tunnel)
        tunnels.append(tunnel)
    print("open", flush=True)
    for _ in sys.stdin:
        for tunnel in tunnels:
            tunnel.sendall(b"ping")
        for tunnel in tunnels:
            heard = b""
            while len(heard) < 4:
                heard += _some(tunnel)
        print("echoed", flush=True)


def _some(tunnel: ssl.SSLSocket) -> bytes:
    data = tunnel.recv(4096)
    if not data:
        raise EOFError("the front closed a tunnel")
    return data


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if sys.argv[1] == "upstream":
        _serve()
    else:
        _visit(int(sys.argv[2]), int(sys.argv[3]))
