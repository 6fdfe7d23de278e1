"""Is the server well, in one word; for the strip at the foot of every page."""

from __future__ import annotations

import msgspec

from hsadmin.console.endpoint import Guard, endpoint
from hsadmin.console.neighbours import Neighbours
from hsadmin.model.engine import Phase


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`well` is whether clients are served now; `reason` says why not."""

    well: bool
    headscale: Phase
    reason: str


@endpoint("GET", "/admin/api/health", name="health.read", guard=Guard.OPEN, summary="Whether clients are served now")
async def read(near: Neighbours) -> Health:
    state = near.engine.state()
    return Health(well=state.phase is Phase.READY, headscale=state.phase, reason=state.reason)
