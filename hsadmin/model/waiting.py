"""Ids of what waits for a person: a device that wants to join, an SSH session that wants approval.

Both look the same on the wire (`hskey-authreq-` and 24 characters); only the address that carries them tells which is which. Yet to answer
an SSH check as if it were a device ends the headscale process (seen with 0.29.3). So they are two types here, and there is no way from a
typed-in text to either: they come from an address (`waiting_at`) or from headscale's own log lines.
"""

from __future__ import annotations

import re

import msgspec

PREFIX = "hskey-authreq-"
_ID = re.compile(r"hskey-authreq-[A-Za-z0-9_-]{24}")
_ADDRESS = re.compile(r"(?:https?://[^/?#\s]+)?/(?P<door>register|auth)/(?P<id>hskey-authreq-[A-Za-z0-9_-]{24})")


class _Id(msgspec.Struct, frozen=True):
    text: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.text):
            raise ValueError("not an id that headscale gives out")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text[: len(PREFIX) + 4]}…)"


class RegistrationId(_Id, frozen=True):
    """A device that waits to be registered: seen on /register/, or in "starting node registration using auth id"."""


class CheckId(_Id, frozen=True):
    """An SSH session that waits for approval: seen on /auth/, or in "SSH check pending"."""


def waiting_at(address: str) -> RegistrationId | CheckId | None:
    """What the path or URL `address` names, None if it is neither /register/<id> nor /auth/<id>."""
    found = _ADDRESS.fullmatch(address.strip())
    if not found:
        return None
    return RegistrationId(found["id"]) if found["door"] == "register" else CheckId(found["id"])
