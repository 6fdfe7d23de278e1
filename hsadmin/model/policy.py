"""The policy as headscale keeps it: a text, byte for byte, and when it was set."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is HuJSON, comments and all. `updated_at` is None where headscale reads it from a file."""

    text: str
    updated_at: datetime | None = None
