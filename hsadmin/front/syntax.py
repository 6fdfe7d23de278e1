"""The grammar of a head, the rules by which one is refused, and the search for the first fault.

A head that is whole and good is recognised by one regular expression (`REQUEST`, `RESPONSE`). Anything else, be it unfinished or wrong, goes
to `first_fault`, which walks the bytes part by part and stops at the first one that no good head could have there. What it says depends on
that byte and on those before it, never on how many more had already arrived: a verdict is the same however the bytes were cut into segments.

We are stricter than RFC 9112 asks servers to be, and nowhere more lenient: each tolerance in it (a leading empty line, a bare LF as line end,
folded lines, padding before a colon) is one that some other reader does not share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

MAX_HEAD = 16 * 1024  # bytes, with the empty line
MAX_FIELDS = 100
MAX_TARGET = 8 * 1024


class Rule(NamedTuple):
    """Why something is refused: the status that tells the visitor, where it is written, and what would go wrong."""

    status: int
    section: str
    reason: str


RULES: Mapping[str, Rule] = {
    # — bytes —
    "control-byte": Rule(400, "RFC 9110 5.5", "NUL and other controls end a string for one reader and not for the next"),
    "bare-lf": Rule(400, "RFC 9112 2.2", "a reader that takes a lone LF for a line end sees fields that we do not"),
    "bare-cr": Rule(400, "RFC 9112 2.2", "a reader that takes a lone CR for a line end, or for a space, sees another head"),
    "leading-empty-line": Rule(400, "RFC 9112 2.2", "may be skipped, need not be; what sends it counts body bytes wrongly"),
    "head-too-large": Rule(431, "RFC 6585 5", "memory per visitor is bounded"),
    "too-many-fields": Rule(431, "RFC 6585 5", "work per visitor is bounded"),
    # — request line —
    "odd-method": Rule(400, "RFC 9112 3.1", "no registered method holds anything but capital letters"),
    "method-too-long": Rule(501, "RFC 9112 3", "longer than any method we know"),
    "connect-method": Rule(501, "RFC 9110 9.3.6", "we are no forward proxy"),
    "http2-preface": Rule(505, "RFC 9113 3.4", "we did not offer HTTP/2, and what follows is not HTTP/1"),
    "odd-target": Rule(400, "RFC 9112 3.2", "a byte that no URI may hold; readers differ on what to make of it"),
    "asterisk-form": Rule(400, "RFC 9112 3.2.4", "asks about the server as a whole, of which there is nothing to say"),
    "target-too-long": Rule(414, "RFC 9112 3", "longer than any target that leads somewhere here"),
    "http-0.9": Rule(400, "RFC 9112 3", "a request line without a version is answered without a head: that protocol is gone"),
    "odd-version": Rule(400, "RFC 9112 2.3", "not an HTTP version"),
    "other-version": Rule(505, "RFC 9110 15.6.6", "only HTTP/1.0 and 1.1 are spoken on this port"),
    # — field lines —
    "obs-fold": Rule(400, "RFC 9112 5.2", "a folded line is one field for one reader and two for another"),
    "odd-name": Rule(400, "RFC 9110 5.1", "a byte that no field name may hold"),
    "empty-name": Rule(400, "RFC 9110 5.1", "a field must have a name"),
    "no-colon": Rule(400, "RFC 9112 5", "a line without a colon is skipped by one reader and ends the head for another"),
    "space-before-colon": Rule(400, "RFC 9112 5.1", "one reader strips it, another takes it as part of the name"),
    # — host —
    "no-host": Rule(400, "RFC 9112 3.2", "who is meant must be said"),
    "several-hosts": Rule(400, "RFC 9112 3.2", "two readers would pick two hosts"),
    "odd-host": Rule(400, "RFC 9112 3.2", "not a host name or address with an optional port"),
    "other-authority": Rule(400, "RFC 9112 3.2.2", "an absolute target that names somebody else than Host asks for a forward proxy"),
    # — framing —
    "length-beside-coding": Rule(400, "RFC 9112 6.1", "two parsers disagree about where the next message begins"),
    "several-lengths": Rule(400, "RFC 9112 6.3", "even when equal: who repeats them has not looked at them"),
    "odd-length": Rule(400, "RFC 9110 8.6", "signs, spaces, other bases, nothing, or a number that no body has"),
    "odd-coding": Rule(501, "RFC 9112 6.1", "only exactly `chunked`, once; other spellings are chunked to some readers only"),
    "coding-in-1.0": Rule(400, "RFC 9112 6.1", "an HTTP/1.0 peer does not know codings: somebody between changed the version"),
    "upgrade-with-body": Rule(400, "RFC 9110 7.8", "body bytes that a reader takes for the new protocol, or the other way round"),
    # — other fields —
    "repeated-field": Rule(400, "RFC 9110 5.3", "one value is allowed; two readers would pick two"),
    "odd-expectation": Rule(417, "RFC 9110 10.1.1", "100-continue is the only expectation there is"),
    # — status line (of an upstream) —
    "odd-status-line": Rule(502, "RFC 9112 4", "not the answer of an HTTP/1 server"),
    # — bodies —
    "odd-chunk-size": Rule(400, "RFC 9112 7.1", "1 to 16 hex digits and nothing around them: readers differ on all else"),
    "odd-chunk-end": Rule(400, "RFC 9112 7.1", "CRLF must follow the chunk: else sizes and bytes do not belong together"),
    "chunk-extension-too-long": Rule(400, "RFC 9112 7.1.1", "extensions are dropped unread, so they may not be long"),
    "trailers-too-long": Rule(431, "RFC 9112 7.1.2", "trailers are dropped unread, so they may not be long"),
    "body-too-large": Rule(413, "RFC 9110 15.5.14", "more than the route takes"),
}


class Refused(Exception):
    """What came is not HTTP as we read it. Carries the rule's word and nothing of what the visitor sent."""

    def __init__(self, rule: str, status: int | None = None) -> None:
        super().__init__(rule)
        known = RULES[rule]
        self.rule = rule
        self.section = known.section
        self.status = known.status if status is None else status


# — the grammar. Possessive repeats: no part can end where its successor could have begun, so nothing is ever tried twice —

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_VALUE = rb"[\t\x20-\x7e\x80-\xff]"
_PATH = rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/%]"
_QUERY = rb"[\x21\x24-\x3b\x3d\x3f-\x7e]"  # browsers leave more than RFC 3986 allows: all printable but " # < >
_AUTHORITY = rb"[A-Za-z0-9\-._:\[\]]"
_FIELDS = rb"((?:" + _TOKEN + rb"++:" + _VALUE + rb"*+\r\n){0,%d}+)\r\n" % MAX_FIELDS

REQUEST = re.compile(
    rb"([A-Z]{1,16}+) (?:(/" + _PATH + rb"*+)|(?i:https?)://(" + _AUTHORITY + rb"++)(/" + _PATH + rb"*+)?+)(\?" + _QUERY + rb"*+)?+"
    rb" HTTP/1\.([01])\r\n" + _FIELDS
)
RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) (" + _VALUE + rb"*+)\r\n" + _FIELDS)
FIELD = re.compile(rb"([^:]++):[ \t]*+([^\r]*+)\r\n")  # only on what the above have matched

REFUSED_METHODS = {b"CONNECT": "connect-method", b"PRI": "http2-preface"}


# — the walk —

_LF, _CR, _SP, _TAB, _COLON = b"\n\r \t:"
_CONTROLS = dict.fromkeys((*range(0x20), 0x7F), "control-byte") | {_LF: "bare-lf", _CR: "bare-cr"}
_DIGITS = b"0123456789"
_CAPITALS = bytes(range(ord("A"), ord("Z") + 1))


class _Part(NamedTuple):
    """A stretch of a start line: how far it can go on, when it is whole, and what a byte that cannot follow means."""

    longest: re.Pattern[bytes]
    whole: re.Pattern[bytes]
    fault: str
    faults: Mapping[int, str]


def _part(longest: bytes, whole: bytes, fault: str, faults: Mapping[bytes, str] | None = None) -> _Part:
    spread = {byte: rule for several, rule in (faults or {}).items() for byte in several}
    return _Part(re.compile(longest), re.compile(whole), fault, {**_CONTROLS, **spread})


def _prefixes(text: bytes, rest: bytes = b"") -> bytes:
    """An expression for every beginning of `text`, and after the whole of it `rest`."""
    for byte in reversed(text):
        rest = b"(?:" + re.escape(bytes([byte])) + rest + b")?+"
    return rest


def _literal(text: bytes, fault: str, faults: Mapping[bytes, str] | None = None) -> _Part:
    return _part(_prefixes(text), re.escape(text), fault, faults)


_ABSOLUTE = rb"(?i:" + _prefixes(b"http", rb"s?+" + _prefixes(b"://", rb"(?:" + _AUTHORITY + rb"++(?:/" + _PATH + rb"*+)?+)?+")) + rb")"
_TARGET = _part(
    rb"(?:/" + _PATH + rb"*+|" + _ABSOLUTE + rb")",
    rb"/.*+|(?i:https?://).++",
    "odd-target",
    {b"*": "asterisk-form", b"\r": "http-0.9"},
)
_AFTER_TARGET = _part(rb"(?:\?" + _QUERY + rb"*+)?+", rb".*+", "odd-target")
_VERSION = (
    _literal(b"HTTP/1.", "odd-version", {_DIGITS: "other-version"}),
    _part(rb"[01]?+", rb"[01]", "odd-version", {_DIGITS: "other-version"}),
)
_END_OF_LINE = _literal(b"\r\n", "odd-version", {b"\n": "bare-lf"})

REQUEST_LINE: Sequence[_Part] = (
    _part(rb"[A-Z]{0,16}+", rb"[A-Z]++", "odd-method", {b"\r": "leading-empty-line"}),
    _literal(b" ", "odd-method", {_CAPITALS: "method-too-long"}),
    _TARGET,
    _AFTER_TARGET,
    _literal(b" ", "odd-target", {b"\r": "http-0.9"}),
    *_VERSION,
    _END_OF_LINE,
)
STATUS_LINE: Sequence[_Part] = (
    *_VERSION,
    _literal(b" ", "odd-status-line"),
    _part(rb"(?:[1-5][0-9]?+[0-9]?+)?+", rb"[1-5][0-9][0-9]", "odd-status-line"),
    _literal(b" ", "odd-status-line"),
    _part(_VALUE + rb"*+", rb".*+", "odd-status-line"),
    _literal(b"\r\n", "bare-cr"),
)
_REFUSED_METHOD = re.compile(rb"(CONNECT|PRI) ")
_NAME_RUN, _VALUE_RUN = re.compile(_TOKEN + rb"*+"), re.compile(_VALUE + rb"*+")
_NAME_FAULTS: Mapping[int, str] = {**_CONTROLS, _CR: "no-colon", _SP: "space-before-colon", _TAB: "space-before-colon"}

Bytes = bytes | bytearray | memoryview


def first_fault(data: Bytes, start_line: Sequence[_Part]) -> str | None:
    """The rule that the first impossible byte breaks; None while a good head can still come of it. For what the expressions did not match."""
    size = min(len(data), MAX_HEAD)
    if start_line is REQUEST_LINE and (refused := _REFUSED_METHOD.match(data, 0, size)):
        return REFUSED_METHODS[refused[1]]
    fault = _fault(data, size, start_line)
    return "head-too-large" if fault is None and size == MAX_HEAD else fault


def _fault(data: Bytes, size: int, start_line: Sequence[_Part]) -> str | None:
    at = target = 0
    for part in start_line:
        begin, at = at, _end(part.longest, data, at, size)
        if part is _TARGET:
            target = begin
        if target and part in (_TARGET, _AFTER_TARGET) and at - target > MAX_TARGET:
            return "target-too-long"
        if not part.whole.fullmatch(data, begin, at):
            return None if at == size else part.faults.get(data[at], part.fault)
    return _field_fault(data, at, size)


def _field_fault(data: Bytes, at: int, size: int) -> str | None:
    for count in range(MAX_FIELDS + 2):
        if at == size:
            return None
        if data[at] in (_SP, _TAB):
            return "obs-fold"
        if data[at] != _CR:
            if count == MAX_FIELDS:
                return "too-many-fields"
            colon = _end(_NAME_RUN, data, at, size)
            if colon == size:
                return None
            if data[colon] != _COLON:
                return _NAME_FAULTS.get(data[colon], "odd-name")
            if colon == at:
                return "empty-name"
            at = _end(_VALUE_RUN, data, colon + 1, size)
            if at == size:
                return None
            if data[at] != _CR:
                return _CONTROLS[data[at]]
        if at + 1 == size:
            return None
        if data[at + 1] != _LF:
            return "bare-cr"
        at += 2
    raise AssertionError("the walk and the expressions disagree")


def _end(pattern: re.Pattern[bytes], data: Bytes, at: int, size: int) -> int:
    found = pattern.match(data, at, size)
    assert found is not None
    return found.end()
