"""What lies where in the work directory. Names only: nothing here looks at a disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

LONGEST_SOCKET_PATH = 107
"""Bytes a Unix socket's path may have: sun_path is 108 on Linux, its last byte is the terminator (unix(7))."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The work directory's folders and files; `root` is absolute."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def trust(self) -> Path:
        """What was accepted on first use."""
        return self.root / "trust.json"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def headscale(self) -> Path:
        return self.root / "headscale"

    @property
    def headscale_yaml(self) -> Path:
        return self.headscale / "headscale.yaml"

    @property
    def derp_map(self) -> Path:
        return self.headscale / "derp.yaml"

    @property
    def database(self) -> Path:
        return self.headscale / "db.sqlite"

    @property
    def noise_key(self) -> Path:
        return self.headscale / "noise_private.key"

    @property
    def derp_key(self) -> Path:
        return self.headscale / "derp_server_private.key"

    @property
    def headscale_socket(self) -> Path:
        return self.run / "headscale.sock"

    @property
    def console_socket(self) -> Path:
        return self.run / "console.sock"

    @property
    def admin_socket(self) -> Path:
        return self.run / "admin.sock"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder, parents first."""
        return (self.root, self.run, self.bin, self.tls, self.headscale)

    @property
    def sockets(self) -> tuple[Path, ...]:
        return (self.headscale_socket, self.console_socket, self.admin_socket)


def socket_path_bytes(path: Path) -> int:
    return len(os.fsencode(path))
