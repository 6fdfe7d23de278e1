"""The configuration as the rest of the program sees it: frozen, complete, every path absolute, every value of its final type.

What each key means, its default and its help stand in `catalogue`; a test holds the two together, field by field.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from hsadmin.config.listen import Listen

Network = IPv4Network | IPv6Network


class TlsMode(StrEnum):
    OFF = "off"
    FILES = "files"
    SELF_SIGNED = "self-signed"


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """`server.public_url` taken apart; `text` is its one spelling: lower-case host, no default port, no slash at the end."""

    text: str
    scheme: str
    host: str  # without brackets
    port: int
    loopback: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    public_url: PublicUrl
    extra_hosts: tuple[str, ...]
    listen: tuple[Listen, ...]
    redirect_listen: tuple[Listen, ...]
    local_listen: tuple[Listen, ...]
    root: str  # "connect", "not_found" or an absolute URL
    public_signup: bool
    console_allow_from: tuple[Network, ...]
    trusted_proxies: tuple[Network, ...]

    @property
    def hosts(self) -> frozenset[str]:
        """Every name that visitors may ask for."""
        return frozenset({self.public_url.host, *self.extra_hosts})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    mode: TlsMode
    cert: Path | None
    key: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Headscale:
    version: str
    binary: Path | None
    sha256: str  # "" when not given


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds are whole seconds; counts are for all processes together, but that per source."""

    handshake_seconds: int
    head_seconds: int
    idle_seconds: int
    body_seconds: int
    connections_per_source: int
    connections_total: int  # 0: from RLIMIT_NOFILE
    parked_requests: int
    park_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    level: str
    format: str
    file: Path | None
    access: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """hsadmin.yaml, or the trial's options, as one value. `source` is the file it came from, None for a trial."""

    work_dir: Path
    bin_dir: Path
    server: Server
    tls: Tls
    auth: Auth
    headscale: Headscale
    front: Front
    limits: Limits
    log: Log
    trial: bool = False
    source: Path | None = None

    @property
    def drops_untrusted(self) -> bool:
        """Whether peers outside `server.trusted_proxies` are dropped: plain HTTP that others than this machine could reach."""
        return self.tls.mode is TlsMode.OFF and not all(listen.local for listen in self.server.listen)
