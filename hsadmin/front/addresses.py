"""Addresses of visitors: as sockets say them, and as proxies that we trust say them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
LOOPBACK = IPv4Address("127.0.0.1")


@lru_cache(maxsize=1024)
def parse_address(text: str) -> Address:
    """An address as sockets and proxies write it: zone dropped, IPv4 inside IPv6 taken out. Raises ValueError."""
    return _plain(ip_address(text.partition("%")[0]))


def client_address(peer: Address | None, forwarded_for: Sequence[bytes], trusted_proxies: Sequence[Network]) -> Address:
    """Who is at the far end: the peer, or behind trusted proxies the right-most address in X-Forwarded-For that is not one of them.

    A value that is no address ends the search: what stands left of it is hearsay. `peer` None is a Unix socket: who can open it is trusted.
    """
    found = LOOPBACK if peer is None else _plain(peer)
    if peer is not None and not within(found, trusted_proxies):
        return found
    for entry in reversed(b",".join(forwarded_for).split(b",")):
        try:
            found = parse_address(entry.strip(b" \t").decode("ascii"))
        except ValueError:
            return found
        if not within(found, trusted_proxies):
            return found
    return found


def _plain(address: Address) -> Address:
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
