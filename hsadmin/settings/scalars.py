"""YAML scalars as headscale's reader takes them, and values written so that every reader takes them as meant.

headscale reads with a YAML 1.2 library that knows a few things of 1.1: `yes` and `off` are words, not booleans, while `0770` is the number 504.
PyYAML's own resolver differs in both, so scalars are resolved here.
"""

from __future__ import annotations

import re

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_NUMBER_LIKE = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[1-9][0-9]*|0)")
_FLOAT_LIKE = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOATS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}

_SAFE_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*")
_WORDS_WITH_MEANING = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def resolve(text: str) -> Value:
    """A plain scalar as headscale sees it."""
    if text in NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    digits = text.replace("_", "")
    if digits and text[0] in "+-.0123456789":
        if _NUMBER_LIKE.fullmatch(digits):
            return _integer(digits)
        if _FLOAT_LIKE.fullmatch(digits):
            return float(digits)
    special = _SPECIAL_FLOATS.get(text.lower())
    return text if special is None else float(special)


def _integer(digits: str) -> int | float:
    sign = -1 if digits[0] == "-" else 1
    body = digits.lstrip("+-").lower()
    if len(body) > 1 and body[0] == "0" and body[1].isdigit():
        body = "0o" + body[1:]
    number = sign * int(body, 0)
    return number if -(1 << 63) <= number < 1 << 64 else float(number)


def scalar_text(value: bool | int | float | str | None) -> str:
    """One scalar for a file; a string stands plain only where no reader could see anything else in it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if _SAFE_PLAIN.fullmatch(value) and value.lower() not in _WORDS_WITH_MEANING:
        return value
    return f'"{"".join(_escaped(char) for char in value)}"'


def flow_text(value: Value) -> str:
    """Any value on one line, as it may stand in block and flow context alike."""
    if isinstance(value, list):
        return f"[{', '.join(flow_text(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar_text(key)}: {flow_text(item)}' for key, item in value.items())}}}"
    return scalar_text(value)


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    number = ord(char)
    if number < 0x20 or 0x7F <= number < 0xA0:
        return f"\\x{number:02x}"
    if char in "\u2028\u2029\ufeff" or 0xD800 <= number <= 0xDFFF or number in {0xFFFE, 0xFFFF}:
        return f"\\u{number:04x}"
    return char
