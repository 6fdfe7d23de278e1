"""Spans of time as people write and read them."""

from __future__ import annotations

import re

_UNITS = {"w": 7 * 24 * 3600, "d": 24 * 3600, "h": 3600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:[0-9]{1,9}[wdhms])+")
_PART = re.compile(r"([0-9]+)([wdhms])")


def seconds(text: str) -> int:
    """ "24h", "90d" or "1h30m" in seconds. Raises ValueError."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a span such as 30m, 24h, 90d or 1h30m")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def words(span: float) -> str:
    """The two largest units: "3 d 4 h", "12 s"."""
    left, found = int(span), []
    for unit, size in (("d", 24 * 3600), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            found.append(f"{number} {unit}")
    return " ".join(found[:2]) or "0 s"
