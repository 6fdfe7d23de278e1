"""Holds the pair in force and swaps it when its source changes; open connections keep the context they began with."""

from __future__ import annotations

import datetime
import os
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from hsadmin.certificates.pair import Pair, check_validity, context, pem, publicly_trusted, ssl_context
from hsadmin.errors import CertificateProblem
from hsadmin.interfaces import ICertificates
from hsadmin.system.watchers import Watchers

LOOK_EVERY = 10.0  # seconds between two looks at the source


class Source(Protocol):
    """Where pairs come from: `Files` or `SelfSigned`."""

    def fingerprint(self) -> object: ...

    def load(self) -> Pair: ...


@implementer(ICertificates)
class Certificates(Service):
    """The pair must be good when this is made (raises CertificateProblem); later a broken one leaves the good one in force."""

    def __init__(
        self,
        reactor: IReactorTime,
        source: Source,
        *,
        mode: str,
        now: Callable[[], datetime.datetime],
        say: Callable[[str], None],
        ca_pem: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        self._source = source
        self._mode = mode
        self._now = now
        self._say = say
        self._ca_pem = ca_pem
        self._seen = source.fingerprint()
        self._refused = ""
        self._watchers: Watchers[None] = Watchers(Logger())
        self._look = LoopingCall(self._tick)
        self._look.clock = reactor
        self._take(source.load())
        self._seen = source.fingerprint()

    def startService(self) -> None:
        Service.startService(self)
        self._look.start(LOOK_EVERY, now=False)

    def stopService(self) -> None:
        Service.stopService(self)
        if self._look.running:
            self._look.stop()

    def context(self) -> SSL.Context:
        return self._context

    def ssl_context(self, server_name: str | None, alpn: Sequence[str]) -> ssl.SSLContext:
        assert self._ssl_context is not None, "asked for only where there is epoll, and then there is memfd"
        return self._ssl_context

    def pem(self) -> tuple[bytes, bytes]:
        return pem(self._pair)

    def watch(self, changed: Callable[[None], None]) -> Callable[[], None]:
        return self._watchers.add(changed)

    def ca_pem(self) -> bytes | None:
        return self._ca_pem()

    def reload(self) -> str | None:
        """See ICertificates; said to the log as well."""
        seen = self._source.fingerprint()
        if seen == self._seen:
            return None
        try:
            pair = self._source.load()
            self._take(pair)
        except CertificateProblem as problem:
            said = f"{problem.sentence} The certificate in force stays: {self.summary}"
            if said == self._refused:
                return said
            self._refused = said
        else:
            self._seen = self._source.fingerprint()
            self._refused = ""
            said = f"The certificate was swapped: {self.summary}"
            self._watchers.tell(None)
        self._say(said)
        return said

    def _tick(self) -> None:
        self.reload()

    def _take(self, pair: Pair) -> None:
        check_validity(pair, self._now())
        try:
            new = context(pair)
            self._ssl_context = ssl_context(pair) if hasattr(os, "memfd_create") else None
            self._context = new
        except (SSL.Error, ssl.SSLError) as fault:
            raise CertificateProblem(f"OpenSSL does not take the certificate in {pair.origin}.") from fault
        self._pair = pair
        self.publicly_trusted: Any = self._mode != "self-signed" and publicly_trusted(pair)
        self.summary: Any = f"{self._mode}, for {', '.join(pair.names) or 'no name'}, until {pair.ends:%Y-%m-%d}.{_finding(pair)}"
        self.ends = pair.ends


def _finding(pair: Pair) -> str:
    if isinstance(pair.key, rsa.RSAPrivateKey):
        return f" Its RSA-{pair.key.key_size} key makes every new connection cost about twice what one with an ECDSA P-256 key does."
    return ""
