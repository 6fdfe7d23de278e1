"""The certificate in a front worker: whatever the main process says it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from hsadmin.certificates.pair import context, parse, ssl_context
from hsadmin.interfaces import ICertificates


@implementer(ICertificates)
class Given:
    """Nothing is looked up and nothing reloaded here; `take` swaps it, open connections keep what they began with."""

    publicly_trusted: Any = False
    summary: Any = ""

    def __init__(self) -> None:
        self._context: Any = None
        self._ssl_context: Any = None
        self._pem = (b"", b"")

    def take(self, chain: bytes, key: bytes, *, publicly_trusted: bool, summary: str) -> None:
        """Raises CertificateProblem."""
        pair = parse(chain, key, chain_name="the chain in force", key_name="its key")
        new = context(pair)
        self._ssl_context = ssl_context(pair) if hasattr(os, "memfd_create") else None
        self._context = new
        self._pem = (chain, key)
        self.publicly_trusted = publicly_trusted
        self.summary = summary

    def context(self) -> Any:
        return self._context

    def ssl_context(self, server_name: str | None, alpn: Sequence[str]) -> Any:
        return self._ssl_context

    def pem(self) -> tuple[bytes, bytes]:
        return self._pem

    def watch(self, changed: Any) -> Any:
        raise AssertionError("a worker is told")

    def reload(self) -> str | None:
        return None

    def ca_pem(self) -> bytes | None:
        return None
