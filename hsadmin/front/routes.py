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
    methods: frozenset[bytes] = frozenset()
    path: bytes = b""
    pattern: re.Pattern[bytes] | None = None
    target: Target = Target.HEADSCALE
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
    )
)
_CONTROL = b"tailscale-control-protocol"
_ID = rb"hskey-authreq-[A-Za-z0-9_-]{24}"

HEADSCALE_0_29: Sequence[Route] = (
    Route("ts2021", _POST, b"/ts2021", upgrade=_CONTROL, forward=frozenset((b"user-agent", b"x-tailscale-handshake"))),
    Route("ts2021-websocket", _GET, b"/ts2021", upgrade=b"websocket", websocket_protocol=_CONTROL, forward=_WEBSOCKET),
    Route("derp", _GET, b"/derp", upgrade=b"derp", fast_start=True, forward=frozenset((b"user-agent", b"ideal-node"))),
    Route("derp-websocket", _GET, b"/derp", upgrade=b"websocket", websocket_protocol=b"derp", forward=_WEBSOCKET),
    Route("derp-probe", _GET_HEAD, b"/derp/probe", forward=_PLAIN),
    Route("derp-latency", _GET_HEAD, b"/derp/latency-check", forward=_PLAIN),
    Route("bootstrap-dns", _GET, b"/bootstrap-dns", forward=_PLAIN, rate="bootstrap-dns"),
    Route("key", _GET, b"/key", forward=_PLAIN),
    Route("ping-response", _HEAD, b"/machine/ping-response", forward=_PLAIN),
    Route("register", _GET, pattern=re.compile(rb"/register/" + _ID), forward=_BROWSER),
    Route("auth", _GET, pattern=re.compile(rb"/auth/" + _ID), forward=_BROWSER),
    Route("register-confirm", _POST, pattern=re.compile(rb"/register/confirm/" + _ID), forward=_FORM, body_limit=4096),
    Route("oidc-callback", _GET, b"/oidc/callback", forward=_BROWSER),
    Route("apple", _GET, b"/apple", forward=_PLAIN),
    Route("apple-profile", _GET, b"/apple/ios", forward=_PLAIN),
    Route("apple-profile", _GET, b"/apple/macos-app-store", forward=_PLAIN),
    Route("apple-profile", _GET, b"/apple/macos-standalone", forward=_PLAIN),
    Route("windows", _GET, b"/windows", forward=_PLAIN),
)
HEADSCALE: Mapping[str, Sequence[Route]] = {"0.29": HEADSCALE_0_29}

OWN: Sequence[Route] = (
    Route("root", _GET_HEAD, b"/", target=Target.OWN, own="root"),
    Route("robots", _GET_HEAD, b"/robots.txt", target=Target.OWN, own="robots"),
    Route("favicon", _GET_HEAD, b"/favicon.ico", target=Target.OWN, own="favicon"),
)

# A segment is never empty, "." or "..", and never hides a slash, a backslash, a dot or a control behind a percent sign.
_SEGMENT = rb"/(?!\.{1,2}(?:/|\Z))(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%(?!2[EFef]|5[Cc]|[01]|7[Ff])[0-9A-Fa-f]{2})+"
CONSOLE_PATH = re.compile(rb"/admin(?:" + _SEGMENT + rb")*")
SIGN_UP = b"/admin/connect"
PUBLIC_FILES = frozenset((b"/admin/theme.js", b"/admin/favicon.svg"))
PUBLIC_ASSETS = b"/admin/_app/immutable/"
PUBLIC_API = b"/admin/api/public/"
_CHANGES = frozenset((b"DELETE", b"PATCH", b"POST", b"PUT"))

CONNECT = Route("connect", _GET_HEAD, SIGN_UP, target=Target.CONSOLE, forward=_CONSOLE)
CONSOLE_ASSET = Route("admin-asset", _GET_HEAD, pattern=CONSOLE_PATH, target=Target.CONSOLE, forward=_CONSOLE)
CONSOLE_PUBLIC = Route(
    "admin-public", _GET_HEAD | _POST, pattern=CONSOLE_PATH, target=Target.CONSOLE, forward=_CONSOLE, body_limit=64 * 1024
)
ADMIN = Route("admin", _GET_HEAD | _CHANGES, pattern=CONSOLE_PATH, target=Target.CONSOLE, forward=_CONSOLE, body_limit=8 * 1024 * 1024)
ADMIN_SLASH = Route("admin-slash", _GET_HEAD, b"/admin/", target=Target.OWN, own="admin")

NOT_FOUND = Route("not-found", target=Target.NOTHING)
REFUSED = Route("refused", target=Target.NOTHING)  # wrong host, forwarded, cross-site: judged before the path was looked at
