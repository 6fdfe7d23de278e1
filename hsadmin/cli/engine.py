"""`hsadmin engine fetch|list|verify`: the shelf of headscale binaries. None of these needs a running hsadmin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from hsadmin import resolving
from hsadmin.cli.context import Context
from hsadmin.config import Config
from hsadmin.engine.releases import Releases
from hsadmin.model.engine import ShelfEntry

T = TypeVar("T")


def add(commands: Any) -> None:
    group = commands.add_parser("engine", help="the headscale binaries on the shelf").add_subparsers(required=True, metavar="COMMAND")
    group.add_parser("fetch", help="bring the configured headscale: supplied, on the shelf, downloaded or built").set_defaults(run=fetch)
    group.add_parser("list", help="show what is on the shelf").set_defaults(run=show_list)
    group.add_parser("verify", help="hash everything on the shelf and say what vouches for it; ends 1 at a fault").set_defaults(run=verify)


async def fetch(context: Context) -> int:
    resolved = await releases(context, network=True).resolve(context.say)
    context.show(resolved, [str(resolved.path)])
    return 0


async def show_list(context: Context) -> int:
    entries = await releases(context).list()
    context.show(entries, _table(entries))
    if not entries:
        context.say("The shelf is empty; `hsadmin engine fetch` fills it.")
    return 0


async def verify(context: Context) -> int:
    entries = await releases(context).verify(context.say)
    context.show(entries, ())
    return 1 if any(entry.fault for entry in entries) else 0


def releases(context: Context, *, network: bool = False, config: Config | None = None) -> Releases:
    """As the daemon would find them; without `network` nothing is downloaded or built."""
    return resolving.releases(context.reactor, config or context.config(), context.environ, _at_once, network=network)


async def _at_once(work: Callable[[], T], /) -> T:
    """A one-shot command has nothing else to do meanwhile."""
    return work()


def _table(entries: Sequence[ShelfEntry]) -> Sequence[str]:
    return [
        f"{entry.version}  {entry.platform}  {entry.sha256[:12] or '-':12}  {entry.trust or 'not trusted'}  {_accepted(entry)}  {entry.path}"
        + (f"\n  {entry.fault}" if entry.fault else "")
        for entry in entries
    ]


def _accepted(entry: ShelfEntry) -> str:
    return "never used" if entry.accepted is None else f"accepted {datetime.fromtimestamp(entry.accepted, UTC):%Y-%m-%d}"
