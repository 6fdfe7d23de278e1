"""Who may have what. A second opinion behind the front: each rule here holds even if the front let something through that it should not have.

Rules, in the order in which they are asked:

1. under auth.disabled a request names localhost, 127.0.0.1 or [::1] as its host: a name of somebody else's that leads here (DNS
   rebinding) must not make a visitor's browser an administrator;
2. under auth.disabled the visitor that the front names is on loopback;
3. a request that says it was made by another origin's page is refused;
4. a request that may change something must show that it was made by our own page;
5. what is open needs auth.disabled, as long as there is no sign-in.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from hsadmin.console.endpoint import Guard
from hsadmin.errors import BadRequest, Forbidden

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
DEFAULT_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.))*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What of a request the rules look at; fields that are absent are empty."""

    method: str
    host: str
    origin: str = ""
    fetch_site: str = ""
    client: str = ""  # the visitor's address, as the front believes it


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one door: `local` is admin.sock, where no browser is and the peer's uid was checked at accept."""

    auth_disabled: bool
    scheme: str = "http"  # of the public URL: what an Origin of ours begins with
    local: bool = False

    def check(self, visit: Visit) -> None:
        """Raises BadRequest or Forbidden when no answer at all may be given."""
        host, port = authority(visit.host)
        if self.local:
            return
        if self.auth_disabled:
            if host not in LOOPBACK_NAMES:
                raise Forbidden("Without sign-in the console answers only to localhost, 127.0.0.1 and [::1].")
            if visit.client and not _loopback(visit.client):
                raise Forbidden("Without sign-in the console answers only to this machine.")
        if visit.origin and not self._own(visit.origin, host, port):
            raise Forbidden("This request was made by a page of another origin.")
        if visit.fetch_site == "cross-site":
            raise Forbidden("This request was made by a page of another site.")
        if visit.method in SAFE_METHODS:
            return
        if visit.fetch_site not in {"", "same-origin", "none"} or not (visit.origin or visit.fetch_site):
            raise Forbidden("A request that changes something must come from the console's own page.")

    def admit(self, guard: Guard) -> None:
        """Raises Forbidden when what has this guard is not for this door."""
        if self.local:
            if guard is not Guard.LOCAL:
                raise Forbidden("This call is not for the local socket.")
        elif guard is Guard.LOCAL:
            raise Forbidden("This call is for the local socket only.")
        elif guard is Guard.OPEN and not self.auth_disabled:
            raise Forbidden("The console is shut: it has no sign-in yet, and auth.disabled is off.")

    def _own(self, origin: str, host: str, port: int | None) -> bool:
        scheme, _, rest = origin.partition("://")
        try:
            other, other_port = authority(rest)
        except BadRequest:
            return False
        default = DEFAULT_PORTS.get(scheme)
        return scheme == self.scheme and other == host and (other_port or default) == (port or default)


def authority(text: str) -> tuple[str, int | None]:
    """A Host field's name (lower case, IPv6 in brackets) and port. Raises BadRequest."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise BadRequest("The Host field is missing or is not a host name.")
    return found["host"].lower(), int(found["port"]) if found["port"] else None


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False
