"""What is looked at before headscale is asked, because headscale would take it, or take it amiss. Pure; every fault is HeadscaleInvalid.

headscale 0.29 stores any user name, makes keys without an expiration that are born expired, keeps routes that can never serve, and an
empty policy that opens everything at the next start.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hsadmin.errors import HeadscaleInvalid, HeadscaleTooLarge
from hsadmin.model.nodes import node_name_fault, normal_route, tag_fault
from hsadmin.model.users import user_name_fault

MAX_QUESTION = 4 * 1024 * 1024 - 1024  # headscale's gRPC server takes messages up to 4 MiB
LAST_YEAR = 9999


def user_name(name: str) -> str:
    if fault := user_name_fault(name):
        raise HeadscaleInvalid(f"{fault}.", field="name")
    return name


def node_name(name: str) -> str:
    """`name` in lower case: headscale compares names exactly, DNS does not."""
    lower = name.lower()
    if fault := node_name_fault(lower):
        raise HeadscaleInvalid(f"{fault}.", field="name")
    return lower


def tags(given: Sequence[str]) -> tuple[str, ...]:
    """Sorted and each once, as headscale will answer them."""
    for tag in given:
        if fault := tag_fault(tag):
            raise HeadscaleInvalid(f"{fault}.", field="tags")
    return tuple(sorted(set(given)))


def routes(given: Sequence[str]) -> tuple[str, ...]:
    """Each as devices announce it (no host bits), sorted, each once."""
    try:
        return tuple(sorted({normal_route(route) for route in given}))
    except ValueError as fault:
        raise HeadscaleInvalid(f"{fault}.", field="routes") from None


def future(at: datetime, now: float) -> datetime:
    """`at`, which must carry a time zone and lie ahead of `now` (seconds since the epoch)."""
    if at.tzinfo is None:
        raise HeadscaleInvalid("a time needs a time zone.", field="expires")
    if at.timestamp() <= now:
        raise HeadscaleInvalid(
            f"an expiration lies in the future, and {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC does not.", field="expires"
        )
    return at


def policy(text: str) -> str:
    """Not empty: headscale would keep the old rules until it restarts, and then let everybody reach everything."""
    if not text.strip():
        raise HeadscaleInvalid(
            "an empty policy would open everything at the next start of headscale; write {} to mean that.", field="policy"
        )
    if (size := len(text.encode())) > MAX_QUESTION:
        raise HeadscaleTooLarge(f"headscale takes policies up to {MAX_QUESTION} bytes, and this one has {size}.", field="policy")
    return text
