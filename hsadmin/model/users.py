"""People (and machines) that own nodes, and what headscale takes as their names."""

from __future__ import annotations

from datetime import datetime

import msgspec

TAGGED_DEVICES = 2147455555  # headscale shows tagged nodes as owned by this user, who is in no list; we say `owner_id` None instead
MAX_USER_NAME = 255


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as headscale keeps it. Two users may share an e-mail or, one of them from OIDC, even a name: only `id` tells them apart."""

    id: int
    name: str
    display_name: str = ""
    email: str = ""
    provider: str = ""  # "oidc", or "" for a user made here
    provider_id: str = ""  # issuer and subject, joined
    picture_url: str = ""
    created_at: datetime | None = None


def user_name_fault(name: str) -> str | None:
    """Why `name` cannot be a user's name, or None.

    The rules are headscale's own (v0.29 hscontrol/util/dns.go ValidateUsername), which its API no longer applies: it would store anything,
    and an empty name matches every user at registration.
    """
    if len(name) < 2:
        return "a user name has two characters or more"
    if len(name) > MAX_USER_NAME:
        return f"a user name has {MAX_USER_NAME} characters or fewer"
    if not name[0].isalpha():
        return f"a user name begins with a letter, and {name!r} does not"
    for character in name:
        if not (character.isalpha() or character.isdecimal() or character in "-._@"):
            return f"a user name holds letters, digits and - . _ @ only, and {name!r} holds {character!r}"
    if name.count("@") > 1:
        return f"a user name holds one @ at most, and {name!r} holds {name.count('@')}"
    return None
