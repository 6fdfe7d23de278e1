"""What a person who connects a device must know of this server. Public: the page is shown before anybody has an account."""

from __future__ import annotations

import msgspec

from hsadmin.console.endpoint import Guard, endpoint
from hsadmin.console.neighbours import Neighbours
from hsadmin.errors import NotFound

MINIMUM_CLIENT = "1.80"  # what headscale 0.29 still talks to (capability version 113)
CA_PATH = "/admin/api/public/ca.pem"


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`ca` is where the authority can be had that a device must trust first, "" when none; `relay` whether clients can use our DERP relay."""

    login_server: str
    tls: str
    ca: str
    relay: bool
    minimum_client: str


@endpoint("GET", "/admin/api/public/server", name="connect.server", guard=Guard.PUBLIC, summary="How a device joins")
async def server(near: Neighbours) -> Server:
    own_authority = near.certificates is not None and near.certificates.ca_pem() is not None
    return Server(
        login_server=near.public_url,
        tls=near.tls_mode,
        ca=CA_PATH if own_authority else "",
        relay=near.public_url.startswith("https://"),  # clients speak TLS to a relay whatever the URL says
        minimum_client=MINIMUM_CLIENT,
    )


@endpoint(
    "GET", CA_PATH, name="connect.ca", guard=Guard.PUBLIC, summary="The authority a device must trust", media="application/x-pem-file"
)
async def ca(near: Neighbours) -> bytes:
    pem = near.certificates.ca_pem() if near.certificates is not None else None
    if pem is None:
        raise NotFound("This server has no certificate authority of its own.")
    return pem
