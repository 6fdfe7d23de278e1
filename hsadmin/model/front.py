"""What the front reports: counters, open streams, one record per finished request or tunnel."""

from __future__ import annotations

import msgspec


class AccessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the access log. `route` is the table's name, never the raw path: that may hold registration ids and tokens."""

    route: str
    method: str
    status: int
    received: int  # bytes from the visitor, head included
    sent: int  # bytes to the visitor, head included
    seconds: float
    peer: str  # the client's address as believed (socket, or right-most untrusted X-Forwarded-For)
    tunnel: bool = False
    note: str = ""  # why it was refused or ended, a fixed word: "slow-head", "upstream-lost", …


class OpenStream(msgspec.Struct, frozen=True, kw_only=True):
    """A tunnel that is open now; `since` is wall-clock seconds since the epoch."""

    id: int
    route: str
    peer: str
    since: float
    received: int
    sent: int


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """A socket we listen on: `address` as a person writes it ("127.0.0.1:8080", "[::]:443", "unix:/run/x.sock"); public, redirect or local."""

    address: str
    tls: bool
    purpose: str
