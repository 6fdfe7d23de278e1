"""How late the reactor is: what a visitor waits for before anything is done for him."""

from __future__ import annotations

import msgspec


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Beats that were at most `upto` seconds late, and later than the bucket before; None is without bound."""

    upto: float | None
    beats: int


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """Something that held the reactor up: for how long, what it was (our function and line, or a word), and when (seconds since the epoch)."""

    seconds: float
    what: str
    at: float


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """Since the start. `last` is the newest stall of over 20 ms, None when there was none."""

    buckets: tuple[Bucket, ...]
    worst: float
    stalls: int
    last: Stall | None
