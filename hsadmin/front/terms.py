"""What a front is told once, when it is made; plain values, so that they can be told to one in another process as well.

Its limits are for all processes of a front together; `share` divides them. What counts per source is left whole: a source's connections do not
spread evenly, and whoever may have 64 must not be refused for the 33rd.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from math import ceil

import msgspec

from hsadmin.front.allow import Allow, Console, Network
from hsadmin.front.limits import FrontLimits


class ConsoleTerms(msgspec.Struct, frozen=True, kw_only=True):
    """allow.Console, with its networks as text."""

    open: bool = False
    loopback_only: bool = False
    from_networks: tuple[str, ...] = ()
    public_signup: bool = True


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """`console_socket` is the path of the console's Unix socket; `drop_untrusted` and the rest are as Front and Allow take them."""

    minor: str = "0.29"
    hosts: frozenset[bytes]
    root: str = "connect"
    own_origin: bytes
    public_url: str
    console: ConsoleTerms
    console_socket: str
    limits: FrontLimits
    trusted_proxies: tuple[str, ...] = ()
    drop_untrusted: bool = False

    def allow(self) -> Allow:
        console = self.console
        return Allow(
            minor=self.minor,
            hosts=self.hosts,
            root=self.root,
            console=Console(
                open=console.open,
                loopback_only=console.loopback_only,
                from_networks=networks(console.from_networks),
                public_signup=console.public_signup,
            ),
            own_origin=self.own_origin,
        )

    def proxies(self) -> tuple[Network, ...]:
        return networks(self.trusted_proxies)

    def share(self, workers: int) -> Terms:
        """The terms of one of `workers` processes."""
        limits = self.limits
        shared = replace(
            limits,
            total=ceil(limits.total / workers),
            parked=ceil(limits.parked / workers),
            pooled=ceil(limits.pooled / workers),
        )
        return msgspec.structs.replace(self, limits=shared)


def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)
