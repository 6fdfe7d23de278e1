"""Keys: those by which devices join, and those of headscale's own HTTP API.

A stored key is only ever shown masked. The full text exists once, in the answer that made it, and travels in a type of its own whose
`repr` hides it: a NewKey must not be logged or stored.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

_SHOWN = {"hskey-auth-": 12, "hskey-api-": 12}


class PreAuthKey(msgspec.Struct, frozen=True, kw_only=True):
    """A pre-auth key. `expires` None means it never does, and only very old keys are like that."""

    id: int
    masked: str
    owner_id: int | None = None  # whose the nodes become; with tags it is only who made the key
    tags: tuple[str, ...] = ()
    reusable: bool = False
    ephemeral: bool = False
    used: bool = False
    expires: datetime | None = None
    born_expired: bool = False  # made without an expiration: headscale stores year 1 and refuses the key from the start
    created_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        return self.born_expired or (self.expires is not None and self.expires <= now)

    def spent(self, now: datetime) -> bool:
        """No device can join with it any more."""
        return self.expired(now) or (self.used and not self.reusable)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of headscale's HTTP API: whoever holds it is administrator of headscale."""

    id: int
    masked: str
    expires: datetime | None = None
    born_expired: bool = False
    created_at: datetime | None = None
    last_seen: datetime | None = None

    def expired(self, now: datetime) -> bool:
        return self.born_expired or (self.expires is not None and self.expires <= now)


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key at the one moment its text is known. `id` is None where headscale does not say which row it became."""

    id: int | None
    secret: str

    def __repr__(self) -> str:
        return f"NewKey(id={self.id}, secret={mask(self.secret)!r})"


def mask(key: str) -> str:
    """`key` with nothing left that lets anybody in: `hskey-auth-abcdefghijkl-***`.

    Cut by length, not at dashes, which both halves may contain. Keys from before headscale 0.28 come in clear and have no public half.
    """
    if "***" in key:
        return key
    for prefix, shown in _SHOWN.items():
        if key.startswith(prefix):
            return key[: len(prefix) + shown] + "-***" if len(key) > len(prefix) + shown else prefix + "***"
    return key[:4] + "***" if len(key) >= 16 else "***"
