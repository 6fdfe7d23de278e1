"""`hsadmin status`: what the running hsadmin says of itself. Ends 0 when headscale is ready, 69 when it is not, or when nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hsadmin.cli import duration
from hsadmin.cli.context import Context
from hsadmin.console.api.status import Status
from hsadmin.model.engine import EngineState, Phase

UNAVAILABLE = 69


def add(commands: Any) -> None:
    command = commands.add_parser("status", help="what the running hsadmin says of itself", description=__doc__)
    command.set_defaults(run=status)


async def status(context: Context) -> int:
    found = await context.daemon().get("/status", Status)
    context.show(found, lines(found))
    return 0 if found.headscale.phase is Phase.READY else UNAVAILABLE


def lines(found: Status) -> Iterator[str]:
    yield f"hsadmin {found.version}, up {duration.words(found.uptime)}, at {found.public_url}"
    yield from _headscale(found.headscale)
    for listening in found.listening:
        yield f"listens: {listening.address}, {'TLS' if listening.tls else 'no TLS'}, {listening.purpose}"
    if found.certificate is not None:
        trusted = "publicly trusted" if found.certificate.publicly_trusted else "not publicly trusted"
        yield f"certificate: {found.certificate.summary.rstrip('.')} ({trusted})"
    routes = ", ".join(f"{route} {number}" for route, number in sorted(found.streams.by_route.items()))
    yield f"open streams: {found.streams.total}{f' ({routes})' if routes else ''}"
    for sentence in found.trust:
        yield f"trusted on first use: {sentence}"


def _headscale(state: EngineState) -> Iterator[str]:
    since = datetime.fromtimestamp(state.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    process = f", process {state.pid}" if state.pid else ""
    yield f"headscale {state.version or '(no version yet)'}: {state.phase} since {since}{process}, {state.restarts} restarts"
    if state.reason:
        yield f"  {state.reason}"
        yield from (f"  | {line}" for line in state.last_lines[-10:])
    yield from (f"  {warning}" for warning in state.warnings)
