"""What this hsadmin was shipped to believe: for each headscale release the SHA-256 of its assets and the hashes of its Go module.

Assets' hashes were found in independent public places; 0.29.0's and the missing platforms' were not, so those are built from source.
Module hashes are those of Go's public checksum database. A hash shipped with us is the only reason to accept bytes from the network: the
release's own `checksums.txt` comes from the same place as the binary and proves nothing about it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

import msgspec

from hsadmin.errors import ReleaseUnsupported

SUPPORTED = re.compile(r"0\.29\.(0|[1-9][0-9]{0,2})")  # the minor whose routes, settings and gRPC service we know

SHA256 = re.compile(r"[0-9a-f]{64}")
H1 = re.compile(r"h1:[A-Za-z0-9+/]{43}=")

SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "FreeBSD": "freebsd"}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "riscv64": "riscv64"}


class Platform(NamedTuple):
    """An operating system and a processor, in Go's words."""

    os: str
    arch: str

    def __str__(self) -> str:
        return f"{self.os}/{self.arch}"

    @classmethod
    def named(cls, system: str, machine: str) -> Platform:
        """From what `platform.system()` and `platform.machine()` say."""
        return cls(SYSTEMS.get(system, system.lower()), MACHINES.get(machine, machine.lower()))


class ModulePin(msgspec.Struct, frozen=True):
    """The Go module's hashes, as in go.sum: of its zip and of its go.mod."""

    zip: str
    mod: str


class ReleasePins(msgspec.Struct, frozen=True):
    """One release: the oldest Go that compiles it, its source, and its assets by `os_arch`."""

    go: str
    module: ModulePin
    assets: Mapping[str, str]


Pins = Mapping[str, ReleasePins]


def parse(text: bytes) -> Pins:
    """Raises ValueError when a hash does not look like one: a damaged data file must not become a pin that nothing meets."""
    pins = msgspec.json.decode(text, type=dict[str, ReleasePins])
    for version, release in pins.items():
        for asset, digest in release.assets.items():
            if not SHA256.fullmatch(digest):
                raise ValueError(f"{version} {asset}: {digest!r} is not a SHA-256")
        for digest in (release.module.zip, release.module.mod):
            if not H1.fullmatch(digest):
                raise ValueError(f"{version}: {digest!r} is not an h1 hash")
    return pins


def shipped() -> Pins:
    """The pins of this hsadmin."""
    return parse(files("hsadmin.engine").joinpath("pins.json").read_bytes())


def asset_pin(pins: Pins, version: str, platform: Platform) -> str | None:
    """The SHA-256 of the release asset, None when we know none."""
    release = pins.get(version)
    return None if release is None else release.assets.get(f"{platform.os}_{platform.arch}")


def must_be_supported(version: str) -> None:
    """Raises ReleaseUnsupported unless we know how to run this version."""
    if not SUPPORTED.fullmatch(version):
        raise ReleaseUnsupported(f"headscale.version is {version!r}; this hsadmin runs headscale 0.29.x, for example 0.29.3.")
