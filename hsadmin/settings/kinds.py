"""The types of headscale's settings, and what headscale makes of a value of another type.

headscale refuses almost nothing: a boolean it cannot read is false, a number it cannot read is 0, a duration without a unit is nanoseconds.
So each kind says both what headscale takes the value for, and whether that is what a person can have meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from hsadmin.settings.scalars import Value

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_GO_DURATION = re.compile(rf"[-+]?(?:{_GO_PART.pattern})+")
_CALENDAR_DURATION = re.compile(r"(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?")
_GO_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_GO_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True)
class Taken:
    """`value` is what headscale works with; `odd` that it is hardly what was meant."""

    value: Value
    odd: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """`allowed` completes "should be …"."""

    allowed: str
    take: Callable[[Value], Taken]


def _text(value: Value) -> Taken:
    if isinstance(value, bool):
        return Taken("true" if value else "false", odd=True)
    if isinstance(value, str):
        return Taken(value)
    if isinstance(value, int | float):
        return Taken(str(value))
    return Taken("", odd=value is not None)


def _boolean(value: Value) -> Taken:
    if isinstance(value, bool):
        return Taken(value)
    if isinstance(value, int):
        return Taken(value != 0)
    if isinstance(value, str) and value in _GO_TRUE | _GO_FALSE:
        return Taken(value in _GO_TRUE)
    return Taken(False, odd=True)


def _whole(value: Value) -> Taken:
    if isinstance(value, bool):
        return Taken(int(value), odd=True)
    if isinstance(value, int):
        return Taken(value)
    if isinstance(value, float):
        return Taken(int(value), odd=True)
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        return Taken(int(value))
    return Taken(0, odd=True)


def _duration(value: Value) -> Taken:
    """In seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Taken(value * 1e-9, odd=value != 0)
    if not isinstance(value, str):
        return Taken(0.0, odd=True)
    if _GO_DURATION.fullmatch(value):
        total = sum(float(number) * _UNITS[unit] for number, unit in _GO_PART.findall(value))
        return Taken(-total if value.startswith("-") else total)
    if re.fullmatch(r"[-+]?[0-9]{1,18}", value):
        return Taken(int(value) * 1e-9, odd=int(value) != 0)
    return Taken(0.0, odd=True)


def _calendar_duration(value: Value) -> Taken:
    """As text: what is unreadable is no expiry at all, with one line in headscale's log."""
    text = _text(value).value
    good = text in {"", "0"} or (isinstance(text, str) and _CALENDAR_DURATION.fullmatch(text) is not None)
    return Taken(text if good else "0", odd=not good)


def _texts(value: Value) -> Taken:
    if isinstance(value, list):
        taken = [_text(item) for item in value]
        return Taken([item.value for item in taken], odd=any(item.odd or item.value == "" for item in taken))
    if isinstance(value, str):
        return Taken(list(value.split()))
    return Taken([], odd=value not in (None, {}))


def _servers_by_domain(value: Value) -> Taken:
    if isinstance(value, dict):
        return Taken(value, odd=not all(isinstance(item, list | str) for item in value.values()))
    return Taken({}, odd=value is not None)


def _records(value: Value) -> Taken:
    good = isinstance(value, list) and all(
        isinstance(item, dict) and {key.lower() for key in item} <= {"name", "type", "value"} for item in value
    )
    return Taken(value, odd=not good)


def _words(value: Value) -> Taken:
    return Taken(value, odd=not (isinstance(value, dict) and all(not isinstance(item, dict | list) for item in value.values())))


def one_of(*choices: str) -> Kind:
    def take(value: Value) -> Taken:
        taken = _text(value)
        return Taken(taken.value, odd=taken.value not in choices)

    return Kind(f"{', '.join(choices[:-1])} or {choices[-1]}", take)


TEXT = Kind("text", _text)
BOOLEAN = Kind("true or false", _boolean)
WHOLE = Kind("a whole number", _whole)
DURATION = Kind("a duration with its unit, such as 30m or 800ms", _duration)
CALENDAR_DURATION = Kind('a duration such as 180d, or "0"', _calendar_duration)
TEXTS = Kind("a list of texts", _texts)
SERVERS_BY_DOMAIN = Kind("a mapping of domains to lists of name servers", _servers_by_domain)
RECORDS = Kind("a list of {name, type, value}", _records)
WORDS = Kind("a mapping of names to texts", _words)
