"""Everything the server knows of itself, in one answer: for the status page and for `hsadmin status`."""

from __future__ import annotations

from collections import Counter

import msgspec

from hsadmin import __version__
from hsadmin.console.endpoint import Guard, endpoint
from hsadmin.console.neighbours import Neighbours
from hsadmin.model.engine import EngineState, Trust
from hsadmin.model.front import Listening, OpenStream
from hsadmin.model.lag import Lag

SHOWN = 100  # streams that are listed one by one; their counts are always whole


class Streams(msgspec.Struct, frozen=True, kw_only=True):
    """Tunnels open now; `oldest` lists at most the first hundred."""

    total: int
    by_route: dict[str, int]
    oldest: tuple[OpenStream, ...]


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    summary: str
    publicly_trusted: bool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Times are seconds, `started` since the epoch.

    `trust` has one sentence for each thing that is believed since its first use; `lag` is that of the main process.
    """

    version: str
    started: float
    uptime: float
    public_url: str
    headscale: EngineState
    streams: Streams
    counters: dict[str, int]
    listening: tuple[Listening, ...]
    certificate: Certificate | None
    trust: tuple[str, ...]
    lag: Lag


def gather(near: Neighbours) -> Status:
    state = near.engine.state()
    return Status(
        version=__version__,
        started=near.started,
        uptime=max(0.0, near.now() - near.started),
        public_url=near.public_url,
        headscale=state,
        streams=_streams(near),
        counters=dict(sorted(near.front.counters().items())),
        listening=tuple(near.front.listening()),
        certificate=_certificate(near),
        trust=_trust(near, state),
        lag=near.lag(),
    )


@endpoint("GET", "/admin/api/status", name="status.read", guard=Guard.OPEN, summary="What the server knows of itself")
async def read(near: Neighbours) -> Status:
    return gather(near)


def _streams(near: Neighbours) -> Streams:
    streams = near.front.open_streams()
    return Streams(total=len(streams), by_route=dict(Counter(stream.route for stream in streams)), oldest=tuple(streams[:SHOWN]))


def _certificate(near: Neighbours) -> Certificate | None:
    if near.certificates is None:
        return None
    return Certificate(summary=near.certificates.summary, publicly_trusted=near.certificates.publicly_trusted)


def _trust(near: Neighbours, state: EngineState) -> tuple[str, ...]:
    sentences = []
    if state.trust is Trust.FIRST_USE:
        sentences.append(f"headscale {state.version}: its SHA-256 was recorded when it was first accepted, and is compared at every start.")
    if near.certificates is not None and near.certificates.ca_pem() is not None:
        sentences.append("The certificate authority is our own: only devices that were told to trust it can join.")
    return tuple(sentences)
