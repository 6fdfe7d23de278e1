"""Takes secrets out of text before it is kept or logged.

headscale prints its keys and registration ids in full: `hskey-auth-…` joins a machine, `hskey-api-…` is an administrator, and whoever
knows a `hskey-authreq-…` can follow, and on our own pages be shown, somebody's registration. What is left (kind and four characters) is
enough to recognise a key one holds and useless to anybody else. Any kind is cut, so that one invented tomorrow is not a leak.
"""

from __future__ import annotations

import re

SHOWN = 4

_KEY = re.compile(rf"(hskey-[a-z]+-)(?![A-Za-z0-9_-]{{0,{SHOWN}}}…)([A-Za-z0-9_-]+)")
_PRIVATE = re.compile(r"(privkey:)([0-9A-Fa-f]+)")


def redact(text: str) -> str:
    """`text` with every headscale key cut to its kind and first characters, and private machine keys taken out."""
    if "key" not in text:
        return text
    return _PRIVATE.sub(r"\1…", _KEY.sub(_cut, text))


def _cut(match: re.Match[str]) -> str:
    kind, secret = match.groups()
    return f"{kind}{secret[: min(SHOWN, len(secret) // 2)]}…"
