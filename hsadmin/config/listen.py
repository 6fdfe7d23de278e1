"""Where the front may listen: the four forms that hsadmin opens as sockets by itself, parsed into values.

The forms read like Twisted's endpoint strings, so `\\:` stands for a colon inside a value; an IPv6 address may be written plainly, as the
interface is always last. Nothing else that Twisted's plugins would accept is taken: a listener's TLS and limits are the front's, not a plugin's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from pathlib import Path

FORMS = "tcp:PORT[:interface=ADDRESS], tcp6:PORT[:interface=ADDRESS], unix:PATH or systemd:domain=INET|INET6|UNIX:index=N|name=NAME"

_ESCAPED = re.compile(r"\\(.)")
_FIELD = re.compile(r"(?:[^\\:]|\\.)*")


class Kind(StrEnum):
    TCP = "tcp"
    TCP6 = "tcp6"
    UNIX = "unix"
    SYSTEMD = "systemd"


class BadListen(ValueError):
    """Carries what is wrong with the text, as the middle of a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """One listener to be. `text` is what was written; only the fields of its kind are set."""

    text: str
    kind: Kind
    port: int = 0
    interface: str = ""  # "" is every address of the family
    path: Path | None = None
    domain: str = ""  # systemd: INET, INET6 or UNIX
    index: int | None = None  # systemd: the descriptor's place in LISTEN_FDS
    name: str = ""  # systemd: FileDescriptorName=

    @property
    def local(self) -> bool:
        """Whether nothing outside this machine can reach it. A socket handed over by systemd is bound elsewhere, so only UNIX counts."""
        match self.kind:
            case Kind.UNIX:
                return True
            case Kind.SYSTEMD:
                return self.domain == "UNIX"
        return self.loopback

    @property
    def loopback(self) -> bool:
        """Whether it is bound to a loopback address."""
        if not self.interface:
            return False
        return IPv6Address(self.interface).is_loopback if self.kind is Kind.TCP6 else IPv4Address(self.interface).is_loopback

    @property
    def unix(self) -> bool:
        return self.kind is Kind.UNIX or self.domain == "UNIX"

    @property
    def address(self) -> str:
        """As a person writes it: "0.0.0.0:443", "[::1]:8080", "unix:/run/x.sock", "systemd:name=public"."""
        match self.kind:
            case Kind.TCP:
                return f"{self.interface or '0.0.0.0'}:{self.port}"
            case Kind.TCP6:
                return f"[{self.interface or '::'}]:{self.port}"
            case Kind.UNIX:
                return f"unix:{self.path}"
        return f"systemd:name={self.name}" if self.name else f"systemd:index={self.index}"


def parse_listen(text: str, base: Path) -> Listen:
    """`text` as one Listen; a relative socket path is below `base`. Raises BadListen."""
    word, colon, rest = text.partition(":")
    try:
        kind = Kind(word)
    except ValueError:
        raise BadListen(f"{word or text!r} is no kind of listener") from None
    if not colon or not rest:
        raise BadListen(f"nothing follows {word!r}")
    match kind:
        case Kind.UNIX:
            path = base / _plain(rest)
            return Listen(text=text, kind=kind, path=path)
        case Kind.SYSTEMD:
            return _systemd(text, rest)
    return _tcp(text, kind, rest)


def _tcp(text: str, kind: Kind, rest: str) -> Listen:
    field = _FIELD.match(rest)
    number = field.group() if field else ""
    if not re.fullmatch(r"[0-9]{1,5}", number) or not 1 <= int(number) <= 65535:
        raise BadListen(f"{number!r} is not a port from 1 to 65535")
    rest = rest[len(number) :]
    interface = ""
    if rest:
        if not rest.startswith(":interface="):
            raise BadListen(f"{rest[1:]!r} is not interface=ADDRESS")
        interface = _interface(kind, _plain(rest.removeprefix(":interface=")))
    return Listen(text=text, kind=kind, port=int(number), interface=interface)


def _interface(kind: Kind, written: str) -> str:
    bare = written[1:-1] if kind is Kind.TCP6 and written.startswith("[") and written.endswith("]") else written
    try:
        address = IPv6Address(bare) if kind is Kind.TCP6 else IPv4Address(bare)
    except AddressValueError:
        raise BadListen(f"interface {written!r} is not an {'IPv6' if kind is Kind.TCP6 else 'IPv4'} address") from None
    return "" if address.is_unspecified else str(address)


def _systemd(text: str, rest: str) -> Listen:
    options: dict[str, str] = {}
    for part in re.split(r"(?<!\\):", rest):
        key, equals, value = part.partition("=")
        if not equals or key not in {"domain", "index", "name"} or key in options:
            raise BadListen(f"{part!r} is not one of domain=…, index=… and name=…")
        options[key] = _plain(value)
    domain, index, name = options.get("domain", "INET"), options.get("index"), options.get("name", "")
    if domain not in {"INET", "INET6", "UNIX"}:
        raise BadListen(f"domain {domain!r} is not INET, INET6 or UNIX")
    if (index is None) == (not name):
        raise BadListen("exactly one of index and name is needed")
    if index is not None and not re.fullmatch(r"[0-9]{1,3}", index):
        raise BadListen(f"index {index!r} is not a number from 0")
    return Listen(text=text, kind=Kind.SYSTEMD, domain=domain, index=None if index is None else int(index), name=name)


def _plain(value: str) -> str:
    return _ESCAPED.sub(r"\1", value)
