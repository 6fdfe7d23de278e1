"""The types that values in hsadmin.yaml may have: what is allowed, in words, and how a value is read.

A kind reads what was written, never what a YAML resolver made of it: `mode: off` is the word off, `version: 0.29` is that text, and neither
becomes a boolean or a float on the way.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from hsadmin.config.listen import FORMS, BadListen, parse_listen
from hsadmin.config.shape import Network, PublicUrl

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar as written; `plain` without quotes."""

    text: str
    plain: bool = True

    @property
    def null(self) -> bool:
        return self.plain and self.text in _NULL


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping where a value belongs; its contents do not matter."""


Raw = Scalar | Mapping | tuple["Raw", ...]


class Bad(ValueError):
    """Carries what was found, as the beginning of a sentence."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`allowed` completes "allowed is …"; `read` turns what was written into the value, relative paths below the folder given, or raises Bad."""

    allowed: str
    read: Callable[[Raw, Path], Any]


def text_of(raw: Raw) -> str:
    if isinstance(raw, Mapping):
        raise Bad("a mapping was found")
    if isinstance(raw, tuple):
        raise Bad("a list was found")
    if raw.null:
        raise Bad("nothing was found")
    return raw.text


def quoted(text: str) -> str:
    """What was found, fit for a sentence: quoted, on one line, not endless."""
    return repr(text if len(text) <= 80 else f"{text[:77]}…")


def found(text: str) -> Bad:
    return Bad(f"{quoted(text)} was found")


def reading(allowed: str, read: Callable[[str], Any]) -> Kind:
    """A kind whose values are single words: `read` raises ValueError on a bad one."""

    def checked(raw: Raw, _base: Path) -> Any:
        text = text_of(raw)
        try:
            return read(text)
        except Bad:
            raise
        except ValueError:
            raise found(text) from None

    return Kind(allowed, checked)


def optional(kind: Kind) -> Kind:
    """Or null, which is None."""
    return Kind(
        f"{kind.allowed}, or null",
        lambda raw, base: None if isinstance(raw, Scalar) and raw.null else kind.read(raw, base),
    )


def several(kind: Kind) -> Kind:
    """A list, or one value alone; null is the empty list."""

    def read(raw: Raw, base: Path) -> tuple[Any, ...]:
        if isinstance(raw, Scalar):
            return () if raw.null else (kind.read(raw, base),)
        if isinstance(raw, Mapping):
            raise Bad("a mapping was found")
        return tuple(kind.read(item, base) for item in raw)

    return Kind(f"a list, each entry {kind.allowed}", read)


def at_least_one(kind: Kind) -> Kind:
    def read(raw: Raw, base: Path) -> tuple[Any, ...]:
        values: tuple[Any, ...] = kind.read(raw, base)
        if not values:
            raise Bad("an empty list was found")
        return values

    return Kind(f"{kind.allowed}, at least one", read)


def words(*choices: str, into: Callable[[str], Any] = str) -> Kind:
    def read(text: str) -> Any:
        if text not in choices:
            raise ValueError
        return into(text)

    return reading(f"{', '.join(choices[:-1])} or {choices[-1]}", read)


def number(low: int, high: int, unit: str = "") -> Kind:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,10}", text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return reading(f"a whole number{unit and f' of {unit}'} from {low} to {high}", read)


def _path(raw: Raw, base: Path) -> Path:
    text = text_of(raw)
    if "\0" in text or not text.strip():
        raise found(text)
    return Path(os.path.normpath(base / text))


def host_of(text: str) -> str:
    """A host name or address in its one spelling: lower case, an IPv6 address without brackets. Raises ValueError."""
    host = text.lower()
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if "%" in host:
        raise ValueError
    if ":" in bare or re.fullmatch(r"[0-9.]+", bare):
        return str(ip_address(bare))
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise ValueError
    return host


def _split(text: str) -> SplitResult:
    """A web address with nothing unusual in it. Raises Bad or ValueError."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise Bad("an address with a user name was found")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError
    if parts.port == 0 or parts.netloc.endswith(":"):
        raise ValueError
    host_of(parts.hostname)
    return parts


def public_url_of(text: str) -> PublicUrl:
    parts = _split(text)
    if parts.path not in {"", "/"} or "?" in text or "#" in text:
        raise Bad(f"{quoted(text)} was found, which has more than a scheme, a host and a port")
    host = host_of(parts.hostname or "")
    standard = 443 if parts.scheme == "https" else 80
    port = parts.port or standard
    shown = f"[{host}]" if ":" in host else host
    return PublicUrl(
        text=f"{parts.scheme}://{shown}" + ("" if port == standard else f":{port}"),
        scheme=parts.scheme,
        host=host,
        port=port,
        loopback=_is_loopback(host),
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or (isinstance(address, IPv6Address) and address.ipv4_mapped is not None and address.ipv4_mapped.is_loopback)


def _root(text: str) -> str:
    if text in {"connect", "not_found"}:
        return text
    _split(text)
    return text


def network_of(text: str) -> Network:
    try:
        return ip_network(text, strict=True)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise found(text) from None
    raise Bad(f"{quoted(text)} was found, which has bits set beyond its prefix length ({meant} is the network)")


def _proxy(text: str) -> Network:
    network = network_of(text)
    if network.prefixlen == 0:
        raise Bad(f"{quoted(text)} was found, which trusts everybody's word about where they come from")
    return network


def _listen(raw: Raw, base: Path) -> Any:
    text = text_of(raw)
    try:
        return parse_listen(text, base)
    except BadListen as error:
        raise Bad(f"{quoted(text)} was found, where {error}") from None


def _version(text: str) -> str:
    match = re.fullmatch(r"v?((?:0|[1-9][0-9]{0,3})\.(?:0|[1-9][0-9]{0,3})\.(?:0|[1-9][0-9]{0,3}))", text)
    if match is None:
        raise ValueError
    if not match[1].startswith("0.29."):
        raise Bad(f"{quoted(text)} was found, whose minor version this hsadmin does not know")
    return match[1]


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        raise ValueError
    return text.lower()


TRUTH = words("true", "false", into=lambda word: word == "true")
PATH = Kind("a path", _path)
PUBLIC_URL = reading("http:// or https://, a host and perhaps a port, such as https://tailnet.example.com", public_url_of)
HOST = reading("a host name or address without scheme and port", host_of)
LISTEN = Kind(FORMS, _listen)
ROOT = reading("connect, not_found or an http:// or https:// address to redirect to", _root)
NETWORK = reading("a network such as 10.0.0.0/8 or 2001:db8::/32", network_of)
PROXIES = reading("a network such as 10.0.0.0/8 or 2001:db8::/32, but no /0", _proxy)
VERSION = reading("a release such as 0.29.3, of minor version 0.29", _version)
SHA256 = reading("64 hexadecimal digits", _sha256)
