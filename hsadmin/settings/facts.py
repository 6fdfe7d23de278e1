"""What hsadmin knows and headscale.yaml must say: addresses, paths, and which relay map the tailnet gets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hsadmin.model.layout import Layout


class Derp(StrEnum):
    """How clients find a relay.

    EMBEDDED: headscale's own DERP server, reached through the public port over TLS; STUN is one more public UDP port.
    STUN_ONLY: no relay, as relays need TLS: a region whose only node answers STUN on loopback, so that headscale has the region it insists on and no
    client knocks with TLS on a plain port for ever.
    """

    EMBEDDED = "embedded"
    STUN_ONLY = "stun-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`listen_addr`, `metrics_listen_addr` and, with STUN_ONLY, `stun_listen_addr` are HOST:PORT on loopback."""

    layout: Layout
    server_url: str
    listen_addr: str
    metrics_listen_addr: str
    derp: Derp = Derp.EMBEDDED
    stun_listen_addr: str = "0.0.0.0:3478"
    base_domain: str = "tailnet.internal"

    @property
    def stun_host(self) -> str:
        return self.stun_listen_addr.rpartition(":")[0]

    @property
    def stun_port(self) -> int:
        return int(self.stun_listen_addr.rpartition(":")[2])
