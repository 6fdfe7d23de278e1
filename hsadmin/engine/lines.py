"""What one line of headscale's output says (pure).

With `log.format: json` stdout is JSON, but faults come in three more forms: a fatal JSON line on stdout, `Error: …` in plain text on
stderr, and `TIME FTL file.go:49 > …` on stderr; panics of the Go runtime are plain text on stderr. A line is never refused: what is not
understood is text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import msgspec


class Level(IntEnum):
    """zerolog's levels, in order; FATAL and PANIC lines say why the process is about to end."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4
    FATAL = 5
    PANIC = 6


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """`message` and `fields` as headscale gave them, **not redacted**; `text` is the whole line on one line, for people."""

    level: Level
    message: str
    fields: Mapping[str, Any] = {}
    text: str


LAST_OF_START = ("listening and serving debug and metrics on: ", "metrics server disabled")

_LONG = {level.name.lower(): level for level in Level}
_SHORT = {
    "TRC": Level.TRACE,
    "DBG": Level.DEBUG,
    "INF": Level.INFO,
    "WRN": Level.WARN,
    "ERR": Level.ERROR,
    "FTL": Level.FATAL,
    "PNC": Level.PANIC,
}
_CONSOLE = re.compile(r"\S{10,40} (TRC|DBG|INF|WRN|ERR|FTL|PNC) (?:\S+\.go:\d+ > )?(.*)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Beginnings of plain text that announce an end, with what they announce.
_LAST_WORDS = (
    ("panic: ", Level.PANIC),
    ("fatal error: ", Level.PANIC),
    ("runtime: goroutine stack exceeds", Level.PANIC),
    ("runtime: out of memory", Level.PANIC),
    ("unexpected fault address", Level.PANIC),
    ("SIGSEGV: ", Level.PANIC),
    ("SIGILL: ", Level.PANIC),
    ("SIGQUIT: ", Level.PANIC),
    ("Error: ", Level.FATAL),
    ("SQLite schema failed to validate", Level.FATAL),
    ("Upon execvpe ", Level.FATAL),
)


def read(text: str, *, faults: bool = False) -> Line:
    """Reads one line without its end; `faults` when it came from stderr, where plain text is at least a warning."""
    if text.startswith("{"):
        line = _json(text)
        if line is not None:
            return line
    plain = one_line(_COLOUR.sub("", text))
    console = _CONSOLE.fullmatch(plain)
    if console is not None:
        message, _, error = console.group(2).partition(" error=")
        fields = {"error": _unquoted(error)} if error else {}
        return Line(level=_SHORT[console.group(1)], message=message, fields=fields, text=plain)
    for beginning, level in _LAST_WORDS:
        if plain.startswith(beginning):
            return Line(level=level, message=plain, text=plain)
    return Line(level=Level.WARN if faults else Level.INFO, message=plain, text=plain)


def is_our_probe(line: Line) -> bool:
    """headscale tells of each request to it, our own health checks among them: every few seconds, and of no interest to anybody."""
    return line.message == "http request" and line.fields.get("path") == "/health"


def ends_start(line: Line) -> bool:
    """Whether this is the last line of headscale's start: its signal handlers are installed within milliseconds."""
    return line.message.startswith(LAST_OF_START)


def one_line(text: str) -> str:
    """`text` with runs of white space, line ends among them, as single spaces, and without characters a terminal would obey."""
    joined = " ".join(text.split())
    return joined if joined.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in joined)


def _json(text: str) -> Line | None:
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    level = _LONG.get(str(fields.pop("level", "")), Level.INFO)
    message = one_line(str(fields.pop("message", "")))
    shown = [one_line(f"{name}={_word(value)}") for name, value in fields.items() if name not in {"time", "caller"}]
    return Line(level=level, message=message, fields=fields, text=" ".join([level.name.lower(), message, *shown]))


def _word(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _unquoted(text: str) -> str:
    if text.startswith('"'):
        try:
            return str(msgspec.json.decode(text, type=str))
        except (msgspec.MsgspecError, UnicodeError):
            return text.strip('"')
    return text
