"""headscale's loopback ports: chosen once, then the same at every start, unless somebody else took one.

They are remembered in headscale.yaml and nowhere else. New ones are picked outside the kernel's ephemeral range: the front opens thousands
of connections from 127.0.0.1, and one of them could otherwise sit on headscale's port just when headscale comes back for it.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from pathlib import Path
from random import Random

from hsadmin.errors import NoFreePort

HOST = "127.0.0.1"
LOWEST = 10_240
TRIES = 200

_BUSY = frozenset({errno.EADDRINUSE, errno.EACCES})


class Transport(Enum):
    TCP = socket.SOCK_STREAM
    UDP = socket.SOCK_DGRAM


Free = Callable[[Transport, int], bool]


def is_free(transport: Transport, port: int) -> bool:
    """Whether headscale could listen on the port now. Go binds TCP with SO_REUSEADDR, so connections of an earlier life do not count."""
    with socket.socket(socket.AF_INET, transport.value) as probe:
        try:
            if transport is Transport.TCP:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            if transport is Transport.TCP:
                probe.listen(1)
        except OSError as error:
            if error.errno in _BUSY:
                return False
            raise
    return True


def ephemeral_range(path: Path = Path("/proc/sys/net/ipv4/ip_local_port_range")) -> tuple[int, int]:
    """The first and the last port that the kernel gives to outgoing connections; Linux's default where it does not say."""
    try:
        low, high = (int(word) for word in path.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return 32_768, 60_999
    return low, high


def candidates(ephemeral: tuple[int, int]) -> range:
    """Ports to pick new ones from: below the ephemeral range, else above it, else anywhere."""
    low, high = ephemeral
    if low - LOWEST >= 1000:
        return range(LOWEST, low)
    if 65_536 - (high + 1) >= 1000:
        return range(high + 1, 65_536)
    return range(1024, 65_536)


def choose(
    remembered: Mapping[str, str],
    wanted: Mapping[str, Transport],
    *,
    random: Random,
    ours: Collection[int] = (),
    free: Free = is_free,
    fresh: range | None = None,
) -> Mapping[str, str]:
    """HOST:PORT for each wanted name: the remembered one if it is on loopback and free or among `ours`, else a new one.

    `remembered` are headscale.yaml's values; `ours` are ports that a child of ours holds at this moment. Raises NoFreePort.
    """
    taken: set[tuple[Transport, int]] = set()
    chosen: dict[str, str] = {}
    for name, transport in wanted.items():
        port = _port(remembered.get(name, ""))
        if port and (transport, port) not in taken and (port in ours or free(transport, port)):
            taken.add((transport, port))
            chosen[name] = f"{HOST}:{port}"
    pool = candidates(ephemeral_range()) if fresh is None else fresh
    for name, transport in wanted.items():
        if name not in chosen:
            port = _new(transport, taken, random, free, pool)
            taken.add((transport, port))
            chosen[name] = f"{HOST}:{port}"
    return chosen


def _port(address: str) -> int:
    match = re.fullmatch(rf"{re.escape(HOST)}:([1-9][0-9]{{0,4}})", address)
    port = int(match[1]) if match else 0
    return port if port < 65_536 else 0


def _new(transport: Transport, taken: Collection[tuple[Transport, int]], random: Random, free: Free, pool: range) -> int:
    for _ in range(TRIES):
        port = random.choice(pool)
        if (transport, port) not in taken and free(transport, port):
            return port
    raise NoFreePort(f"No free {transport.name} port was found on {HOST} for headscale in {TRIES} tries between {pool[0]} and {pool[-1]}")
