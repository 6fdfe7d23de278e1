"""A whole Front on loopback sockets, with stand-ins for headscale and the console."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from hsadmin.front.crew import Crew
from hsadmin.front.limits import FrontLimits
from hsadmin.front.listeners import ListenSpec, bind
from hsadmin.front.service import Front
from hsadmin.front.terms import ConsoleTerms, Terms
from hsadmin.interfaces import ICertificates
from hsadmin.model.front import AccessRecord
from tests.fakes.upstream import FakeUpstream


@implementer(ICertificates)
class FakeCertificates:
    """One certificate of an authority of its own; `swap` changes it."""

    publicly_trusted: Any = False
    summary: Any = "for tests"

    def __init__(self) -> None:
        self.ca = trustme.CA()
        self.asked: list[tuple[str | None, tuple[str, ...]]] = []
        self._watchers: list[Callable[[None], None]] = []
        self.swap()

    def swap(self) -> None:
        leaf = self.ca.issue_cert("hs.example", "127.0.0.1")
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        leaf.configure_cert(context)
        self._context = context
        self._ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(self._ssl_context)
        self._ssl_context.num_tickets = 0
        self._ssl_context.options |= ssl.OP_NO_RENEGOTIATION
        self._pem = leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
        for changed in self._watchers:
            changed(None)

    def ssl_context(self, server_name: str | None, alpn: Sequence[str]) -> ssl.SSLContext:
        self.asked.append((server_name, tuple(alpn)))
        return self._ssl_context

    def pem(self) -> tuple[bytes, bytes]:
        return self._pem

    def watch(self, changed: Callable[[None], None]) -> Callable[[], None]:
        self._watchers.append(changed)
        return lambda: self._watchers.remove(changed)

    def context(self) -> SSL.Context:
        return self._context

    def reload(self) -> str | None:
        return None

    def ca_pem(self) -> bytes | None:
        return self.ca.cert_pem.bytes()


class LoopbackFront:
    """Started when made, or with `workers` once `up` is over; `stop` in the clean-up."""

    def __init__(
        self,
        reactor: Any,
        *,
        tls: bool = False,
        limits: FrontLimits | None = None,
        public: str = "tcp:0:interface=127.0.0.1",
        workers: int = 0,
        unix: bool = False,
        **more: Any,
    ) -> None:
        self.headscale = FakeUpstream(reactor)
        self.headscale_port = self.headscale.listen()
        self.console = FakeUpstream(reactor)
        self._folder = tempfile.mkdtemp()  # short: a Unix socket's path has 107 bytes, trial's own folders may have more
        self.console_path = f"{self._folder}/console.sock"
        self.console.listen_unix(self.console_path)
        self.certificates = FakeCertificates() if tls else None
        self.records: list[AccessRecord] = []
        self.ready = (True, "ready")
        specs = [
            bind(public, tls=tls, purpose="public"),
            *(bind("tcp:0:interface=127.0.0.1", tls=False, purpose=purpose) for purpose in ("redirect", "local")),
        ]
        self.port, self.redirect_port, self.local_port = (spec.socket.getsockname()[1] for spec in specs)
        if unix:
            specs.append(bind(f"unix:{self._folder}/public.sock", tls=False, purpose="public"))
        terms = Terms(
            hosts=frozenset((b"hs.example",)),
            root="not_found",
            console=ConsoleTerms(open=True),
            own_origin=b"https://hs.example",
            console_socket=self.console_path,
            public_url="https://hs.example",
            limits=limits or FrontLimits(per_source=20_000, total=40_000),
        )
        self.crew: Any = None
        if workers:
            more.pop("carrier", None)  # a worker takes what is best on its platform
            self.crew = self._crew(reactor, specs, terms, workers, more)
        self.front: Front = self.crew or self._front(reactor, specs, terms, more)
        self.up: Deferred[None] = maybeDeferred(self.front.startService)

    def _front(self, reactor: Any, specs: list[ListenSpec], terms: Terms, more: dict[str, Any]) -> Front:
        return Front(
            reactor,
            listeners=specs,
            allow=terms.allow(),
            certificates=self.certificates,
            headscale=lambda: ("127.0.0.1", self.headscale_port),
            console=self.console_path,
            public_url=terms.public_url,
            limits=terms.limits,
            ready=lambda: self.ready,
            access=self.records.append,
            now=time.time,
            **more,
        )

    def _crew(self, reactor: Any, specs: list[ListenSpec], terms: Terms, workers: int, more: dict[str, Any]) -> Crew:
        return Crew(
            reactor,
            workers=workers,
            listeners=specs,
            terms=terms,
            certificates=self.certificates,
            headscale=lambda: ("127.0.0.1", self.headscale_port),
            ready=lambda: self.ready,
            access=self.records.append,
            now=time.time,
            environ={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            **more,
        )

    async def stop(self) -> None:
        await self.up
        if self.front.running:
            await self.front.stopService()
        await self.headscale.stop()
        await self.console.stop()
        shutil.rmtree(self._folder)
