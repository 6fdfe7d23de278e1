"""Who gets a request: a head and the client's address in, a Decision out.

The order is the theory: first whether the request may be for us at all (Host; in the mode without sign-in also where it comes from), then
whether its path exists for this client, then method, upgrade and body. What does not exist is an empty 404, and so is a known path of headscale
asked in a way that the table does not have: nothing tells a stranger which of the two it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hsadmin.front import answers, relay, routes
from hsadmin.front.addresses import Address, Network, client_address, parse_address, within
from hsadmin.front.answers import OwnAnswer
from hsadmin.front.head import RequestHead, ResponseHead
from hsadmin.front.routes import Route, Target

__all__ = ["Address", "Allow", "Console", "Decision", "Network", "OwnAnswer", "Route", "Target", "client_address", "parse_address"]

LOOPBACK_HOSTS = frozenset((b"localhost", b"127.0.0.1", b"[::1]"))
# What proxies write; together with everything that begins with x-forwarded or x-original.
FORWARDING_FIELDS = frozenset(
    (
        b"cf-connecting-ip",
        b"fastly-client-ip",
        b"forwarded",
        b"forwarded-for",
        b"true-client-ip",
        b"via",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-real-ip",
        b"x-rewrite-url",
    )
)
FORWARDING_PREFIXES = (b"x-forwarded", b"x-original")


@dataclass(frozen=True, slots=True)
class Console:
    """Who reaches the console. `open`: all of /admin answers, else its public part only. No `from_networks`: from every address."""

    open: bool = False
    loopback_only: bool = False  # there is no sign-in: local names only, nothing forwarded, nothing from other sites
    from_networks: tuple[Network, ...] = ()
    public_signup: bool = True


class Decision(NamedTuple):
    route: Route
    answer: OwnAnswer | None = None  # what the front says itself; then nothing goes upstream
    upgrade: bool = False
    swallow_101: bool = False  # the upstream's 101 is not for the visitor, the tunnel is
    upstream_path: bytes = b""  # with query


class Allow:
    """The rules of one configuration.

    `hosts` are lower-case and without port, IPv6 in brackets; `root` is "connect", "not_found" or a URL to send people to; `own_origin` is as
    browsers write it: b"https://host:8443".
    """

    def __init__(self, *, minor: str = "0.29", hosts: frozenset[bytes], root: str = "connect", console: Console, own_origin: bytes) -> None:
        self._hosts = LOOPBACK_HOSTS if console.loopback_only else hosts
        self._console = console
        self._own_origin = own_origin.lower()
        self._scheme = self._own_origin.partition(b"://")[0]
        elsewhere = {"connect": answers.redirect(routes.SIGN_UP), "not_found": answers.NOT_FOUND}
        self._root = elsewhere.get(root) or answers.redirect(root.encode("ascii"))
        self._root_is_sign_up = root == "connect"
        self._exact: dict[bytes, list[Route]] = {}
        self._patterns: list[tuple[re.Pattern[bytes], Route]] = []
        for route in (*routes.HEADSCALE[minor], *routes.OWN):
            if route.pattern:
                self._patterns.append((route.pattern, route))
            else:
                self._exact.setdefault(route.path, []).append(route)

    def decide(self, head: RequestHead, client: Address) -> Decision:
        """Never raises."""
        if head.host not in self._hosts:
            return Decision(routes.REFUSED, answers.MISDIRECTED)
        if self._console.loopback_only and self._from_elsewhere(head):
            return Decision(routes.REFUSED, answers.FORBIDDEN)
        rows = self._rows(head.path, client)
        for route in rows:
            if head.method in route.methods and (not route.upgrade or route.upgrade == head.upgrade):
                return self._take(route, head, client)
        return self._no_row(rows, head)

    def upstream_head(self, decision: Decision, head: RequestHead, *, client: str, scheme: str, host: bytes) -> bytes:
        """The head that goes upstream; see relay.upstream_head."""
        return relay.upstream_head(decision.route, decision.upstream_path, head, client=client, scheme=scheme, host=host)

    def switched(self, decision: Decision, response: ResponseHead) -> bool:
        """Whether an upstream has begun the very protocol that was asked for; else its answer is an ordinary one, or nonsense."""
        return relay.switched(decision.route, response)

    def downstream_head(
        self, decision: Decision, head: RequestHead, response: ResponseHead, *, tls: bool, hsts: bool, close: bool = False
    ) -> relay.Relayed:
        """The head that goes to the visitor and how its body is framed; see relay.downstream_head."""
        return relay.downstream_head(decision.route, head, response, tls=tls or self._scheme == b"https", hsts=hsts, close=close)

    def downstream_fields(self, decision: Decision, response: ResponseHead, *, tls: bool, hsts: bool) -> list[relay.Field]:
        """The fields alone, without framing; see relay.downstream_fields."""
        return relay.downstream_fields(decision.route, response, tls=tls or self._scheme == b"https", hsts=hsts)

    def _from_elsewhere(self, head: RequestHead) -> bool:
        if any(name in FORWARDING_FIELDS or name.startswith(FORWARDING_PREFIXES) for name in head.values):
            return True
        origin = head.get(b"origin")
        asked = self._scheme + b"://" + head.values[b"host"].lower()
        foreign = origin is not None and origin.lower() not in (self._own_origin, asked)
        return foreign or head.get(b"sec-fetch-site") == b"cross-site"

    def _rows(self, path: bytes, client: Address) -> Sequence[Route]:
        if path.startswith(b"/admin"):
            return self._console_rows(path, client)
        return self._exact.get(path) or [route for pattern, route in self._patterns if pattern.fullmatch(path)]

    def _console_rows(self, path: bytes, client: Address) -> Sequence[Route]:
        if path == routes.ADMIN_SLASH.path:
            return (routes.ADMIN_SLASH,) if self._console_visible(client) else ()
        if not routes.CONSOLE_PATH.fullmatch(path):
            return ()
        if path == routes.SIGN_UP:
            return (routes.CONNECT,) if self._sign_up_visible(client) else ()
        if path.startswith(routes.PUBLIC_ASSETS) or path in routes.PUBLIC_FILES:
            return (routes.CONSOLE_ASSET,)
        if path.startswith(routes.PUBLIC_API):
            return (routes.CONSOLE_PUBLIC,)
        return (routes.ADMIN,) if self._console_visible(client) else ()

    def _near(self, client: Address) -> bool:
        networks = self._console.from_networks
        return not networks or within(client, networks)

    def _console_visible(self, client: Address) -> bool:
        return self._console.open and self._near(client)

    def _sign_up_visible(self, client: Address) -> bool:
        return self._console.public_signup or self._near(client)

    def _take(self, route: Route, head: RequestHead, client: Address) -> Decision:
        if route.target is Target.OWN:
            return Decision(route, self._own(route.own, client))
        if head.length > route.body_limit or (head.chunked and not route.body_limit):
            return Decision(route, answers.BODY_TOO_LARGE)
        if route.websocket_protocol and head.get(b"sec-websocket-protocol") != route.websocket_protocol:
            return Decision(route, answers.BAD_HANDSHAKE)
        swallow = route.fast_start and head.get(b"derp-fast-start") == b"1"
        return Decision(route, None, bool(route.upgrade), swallow, (route.path or head.path) + head.query)

    def _no_row(self, rows: Sequence[Route], head: RequestHead) -> Decision:
        for route in rows:
            if route.target is not Target.HEADSCALE:
                return Decision(route, answers.method_not_allowed(route.methods))
            if head.method in route.methods and route.upgrade:
                return Decision(route, answers.upgrade_required(route.upgrade))
        return Decision(routes.NOT_FOUND, answers.NOT_FOUND)

    def _own(self, key: str, client: Address) -> OwnAnswer:
        if key == "root" and self._root_is_sign_up and not self._sign_up_visible(client):
            return answers.NOT_FOUND
        return self._root if key == "root" else _OWN[key]


_OWN = {"robots": answers.ROBOTS, "favicon": answers.FAVICON, "admin": answers.redirect(b"/admin", 308)}
