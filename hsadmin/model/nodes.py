"""Devices of the tailnet: what is known of one, its routes, and what headscale takes as names, tags and routes."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from enum import StrEnum

import msgspec

EXIT_ROUTES = ("0.0.0.0/0", "::/0")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Registered(StrEnum):
    """How a node came to be."""

    UNKNOWN = ""
    KEY = "key"
    CLI = "cli"  # approved by an operator
    OIDC = "oidc"


class Routes(msgspec.Struct, frozen=True, kw_only=True):
    """Three views of a node's routes, each sorted.

    A route leads somewhere when it is announced by the device *and* approved by an operator, both times spelled the same; headscale then
    elects one node per route. `serving` is that result as only the list of all nodes tells it: None in any other answer, which means
    "not said" and never "none".
    """

    announced: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()
    serving: tuple[str, ...] | None = None

    @property
    def exit_node(self) -> bool:
        """Announced and approved as a way out to the internet."""
        return any(route in self.announced and route in self.approved for route in EXIT_ROUTES)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Announced, and nobody approved them yet."""
        return tuple(route for route in self.announced if route not in self.approved)


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A device. Its owner is a user or its tags, never both: a tagged node has `owner_id` None.

    `joined_with` is the id of the pre-auth key; look the key up in the list of keys, for headscale's copies inside nodes go stale, and so
    do copies of users.
    """

    id: int
    name: str  # in DNS; may be empty or double after a restart of headscale, until the device connects
    host_name: str = ""  # as the device reports it, raw
    owner_id: int | None = None
    tags: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()  # at most one IPv4, then one IPv6
    online: bool = False
    last_seen: datetime | None = None  # None: never; of no meaning while online
    expires: datetime | None = None  # None: never
    created_at: datetime | None = None
    registered: Registered = Registered.UNKNOWN
    joined_with: int | None = None
    ephemeral: bool = False
    routes: Routes = Routes()
    machine_key: str = ""
    node_key: str = ""
    disco_key: str = ""

    def expired(self, now: datetime) -> bool:
        return self.expires is not None and self.expires <= now


def node_name_fault(name: str) -> str | None:
    """Why `name` cannot be a node's name in DNS, or None. headscale would take upper case too, but DNS does not tell it apart."""
    if _LABEL.fullmatch(name):
        return None
    return f"a node's name holds 1 to 63 lower-case letters, digits and inner hyphens, and {name[:80]!r} does not fit"


def tag_fault(tag: str) -> str | None:
    """Why `tag` cannot be a tag, or None. headscale would take "tag:" alone too."""
    if not tag.startswith("tag:") or tag == "tag:":
        return f"a tag is `tag:` and a name, and {tag[:80]!r} is not"
    if tag != tag.lower():
        return f"a tag is lower case, and {tag[:80]!r} is not"
    if any(character.isspace() for character in tag):
        return f"a tag holds no spaces, and {tag[:80]!r} does"
    return None


def normal_route(route: str) -> str:
    """`route` as devices announce it: 10.1.2.3/24 becomes 10.1.2.0/24 (headscale keeps host bits, and such a route never serves).

    Raises ValueError with a sentence.
    """
    address, slash, _ = route.partition("/")
    try:
        if not slash or "%" in address:
            raise ValueError(route)
        return str(ipaddress.ip_network(route, strict=False))
    except ValueError:
        raise ValueError(f"a route is a network such as 10.1.0.0/16 or fd00::/64, and {route[:80]!r} is not") from None
