"""The table: every path that is answered on the public port, for one minor of headscale; what is not here does not exist.

A row says who answers, which method and upgrade it takes, and the only header fields that travel upstream with it. Two rows may share a path
when they differ in method or upgrade. Kept shut for ever, by not being here: /api, /swagger, /metrics, /debug, /verify, /health, /version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Target(Enum):
    HEADSCALE = "headscale"
    CONSOLE = "console"
    OWN = "own"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Route:
    """One row. `path` is exact and is how the upstream gets to see it; else `pattern` must match all of the raw path."""

    name: str  # in logs and counters
    target: Target
    methods: frozenset[bytes] = frozenset()
    path: bytes = b""
    pattern: re.Pattern[bytes] | None = None
    upgrade: bytes = b""  # the only protocol it can be upgraded to, and then it must be
    websocket_protocol: bytes = b""  # the one subprotocol a websocket must ask for
    fast_start: bool = False  # `Derp-Fast-Start: 1` is asked as an ordinary start, whose 101 the visitor does not expect
    forward: frozenset[bytes] = frozenset()  # fields that may go upstream
    body_limit: int = 0  # bytes
    rate: str = ""  # the rate limit it counts to
    own: str = ""  # the own answer


_GET = frozenset((b"GET",))
_GET_HEAD = frozenset((b"GET", b"HEAD"))
_HEAD = frozenset((b"HEAD",))
_POST = frozenset((b"POST",))

_PLAIN = frozenset((b"user-agent", b"accept"))
_WEBSOCKET = frozenset((b"user-agent", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol"))
_BROWSER = _PLAIN | {b"accept-language", b"cookie"}
_FORM = _BROWSER | {b"content-type", b"origin", b"sec-fetch-site"}
_CONSOLE = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"content-type",
        b"cookie",
        b"idempotency-key",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"last-event-id",
        b"origin",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-user",
        b"user-agent",
        b"x-csrf-token",
        b"x-request-id",
    )
)
_CONSOLE_METHODS = frozenset((b"DELETE", b"GET", b"HEAD", b"PATCH", b"POST", b"PUT"))
_ID = rb"hskey-authreq-[A-Za-z0-9_-]{24}"


def _headscale(name: str, methods: frozenset[bytes], path: bytes, forward: frozenset[bytes] = _PLAIN, **more: object) -> Route:
    pattern = re.compile(path) if b"[" in path else None
    return Route(name, Target.HEADSCALE, methods, b"" if pattern else path, pattern, forward=forward, **more)  # type: ignore[arg-type]


HEADSCALE_0_29: Sequence[Route] = (
    _headscale("ts2021", _POST, b"/ts2021", frozenset((b"user-agent", b"x-tailscale-handshake")), upgrade=b"tailscale-control-protocol"),
    _headscale("ts2021-websocket", _GET, b"/ts2021", _WEBSOCKET, upgrade=b"websocket", websocket_protocol=b"tailscale-control-protocol"),
    _headscale("derp", _GET, b"/derp", frozenset((b"user-agent", b"ideal-node")), upgrade=b"derp", fast_start=True),
    _headscale("derp-websocket", _GET, b"/derp", _WEBSOCKET, upgrade=b"websocket", websocket_protocol=b"derp"),
    _headscale("derp-probe", _GET_HEAD, b"/derp/probe"),
    _headscale("derp-latency", _GET_HEAD, b"/derp/latency-check"),
    _headscale("bootstrap-dns", _GET, b"/bootstrap-dns", rate="bootstrap-dns"),
    _headscale("key", _GET, b"/key"),
    _headscale("ping-response", _HEAD, b"/machine/ping-response"),
    _headscale("register", _GET, rb"/register/" + _ID, _BROWSER),
    _headscale("auth", _GET, rb"/auth/" + _ID, _BROWSER),
    _headscale("register-confirm", _POST, rb"/register/confirm/" + _ID, _FORM, body_limit=4096),
    _headscale("oidc-callback", _GET, b"/oidc/callback", _BROWSER),
    _headscale("apple", _GET, b"/apple"),
    _headscale("apple-profile", _GET, b"/apple/ios"),
    _headscale("apple-profile", _GET, b"/apple/macos-app-store"),
    _headscale("apple-profile", _GET, b"/apple/macos-standalone"),
    _headscale("windows", _GET, b"/windows"),
)
HEADSCALE: Mapping[str, Sequence[Route]] = {"0.29": HEADSCALE_0_29}

OWN: Sequence[Route] = (
    Route("root", Target.OWN, _GET_HEAD, b"/", own="root"),
    Route("robots", Target.OWN, _GET_HEAD, b"/robots.txt", own="robots"),
    Route("favicon", Target.OWN, _GET_HEAD, b"/favicon.ico", own="favicon"),
    Route("admin-slash", Target.OWN, _GET_HEAD, b"/admin/", own="admin"),
)

# A segment is never empty, "." or "..", and never hides a slash, a backslash, a dot or a control behind a percent sign.
_SEGMENT = rb"/(?!\.{1,2}(?:/|\Z))(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%(?!2[EFef]|5[Cc]|[01]|7[Ff])[0-9A-Fa-f]{2})+"
CONSOLE_PATH = re.compile(rb"/admin(?:" + _SEGMENT + rb")*")

SIGN_UP = b"/admin/connect"
ADMIN = Route("admin", Target.CONSOLE, _CONSOLE_METHODS, pattern=CONSOLE_PATH, forward=_CONSOLE, body_limit=8 * 1024 * 1024)
CONNECT = Route("connect", Target.CONSOLE, _GET_HEAD, SIGN_UP, forward=_CONSOLE)
CONSOLE_ASSET = Route("admin-asset", Target.CONSOLE, _GET_HEAD, pattern=CONSOLE_PATH, forward=_CONSOLE)
CONSOLE_PUBLIC = Route(
    "admin-public", Target.CONSOLE, frozenset((b"GET", b"HEAD", b"POST")), pattern=CONSOLE_PATH, forward=_CONSOLE, body_limit=64 * 1024
)
PUBLIC_FILES = frozenset((b"/admin/theme.js", b"/admin/favicon.svg"))
PUBLIC_ASSETS = b"/admin/_app/immutable/"
PUBLIC_API = b"/admin/api/public/"

NOT_FOUND = Route("not-found", Target.NOTHING)
REFUSED = Route("refused", Target.NOTHING)  # wrong host, forwarded, cross-site: judged before the path was looked at
