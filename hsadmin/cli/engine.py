"""`hsadmin engine fetch|list|verify`: the shelf of headscale binaries. None of these needs a running hsadmin."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from hsadmin.cli.context import Context
from hsadmin.config import Config
from hsadmin.engine.download import DownloadSource
from hsadmin.engine.gobuild import GoBuilder
from hsadmin.engine.inspect import Inspector
from hsadmin.engine.pins import Platform
from hsadmin.engine.releases import Releases
from hsadmin.engine.shelf import Shelf
from hsadmin.engine.trust import TrustRecord
from hsadmin.model.engine import ShelfEntry
from hsadmin.model.layout import Layout

T = TypeVar("T")


def add(commands: Any) -> None:
    group = commands.add_parser("engine", help="the headscale binaries on the shelf").add_subparsers(required=True, metavar="COMMAND")
    group.add_parser("fetch", help="put the configured headscale on the shelf, by download or build").set_defaults(run=fetch)
    group.add_parser("list", help="show what is on the shelf").set_defaults(run=show_list)
    group.add_parser("verify", help="hash everything on the shelf and say what vouches for it; ends 1 at a fault").set_defaults(run=verify)


async def fetch(context: Context) -> int:
    resolved = await releases(context, network=True).fetch(context.say)
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


def this_platform() -> Platform:
    return Platform.named(platform.system(), platform.machine())


def releases(context: Context, *, network: bool = False, config: Config | None = None) -> Releases:
    """As the daemon would find them; without `network` nothing is downloaded or built."""
    config = config or context.config()
    here = this_platform()
    return Releases(
        context.reactor,
        version=config.headscale.version,
        platform=here,
        shelf=Shelf(config.bin_dir),
        trust=TrustRecord(Layout(config.work_dir).trust),
        inspector=Inspector(context.reactor, here),
        offload=_at_once,
        now=time.time,
        binary=config.headscale.binary,
        sha256=config.headscale.sha256 or None,
        downloads=DownloadSource.over_https(context.reactor, context.environ) if network else None,
        builder=GoBuilder(context.reactor, environ=context.environ) if network else None,
    )


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
