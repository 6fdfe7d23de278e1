"""`hsadmin key create`: a pre-auth key, shown once."""

from __future__ import annotations

import argparse
from typing import Any

from hsadmin.cli import duration
from hsadmin.cli.context import Context
from hsadmin.console.api.local import Issued, KeyWish


def add(commands: Any) -> None:
    group = commands.add_parser("key", help="keys by which devices join").add_subparsers(required=True, metavar="COMMAND")
    create = group.add_parser("create", help="make a pre-auth key; it is shown once, on stdout")
    create.add_argument("--user", default="", metavar="U", help="whose the devices become: a name, an e-mail address or an id")
    create.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="tag:… that owns the devices instead; may be given several times"
    )
    create.add_argument("--reusable", action="store_true", help="for more than one device")
    create.add_argument("--ephemeral", action="store_true", help="for devices that go when they disconnect")
    create.add_argument("--expires", type=_span, default=24 * 3600, metavar="SPAN", help="such as 30m, 24h or 90d (default 24h)")
    create.set_defaults(run=create_key)


async def create_key(context: Context) -> int:
    given = context.arguments
    wish = KeyWish(user=given.user, tags=tuple(given.tag), reusable=given.reusable, ephemeral=given.ephemeral, expires_in=given.expires)
    issued = await context.daemon().post("/preauth-keys", wish, Issued)
    context.show(issued, [issued.key.secret])
    owner = f"the user {issued.owner.name}" if issued.owner and not wish.tags else ", ".join(wish.tags)
    devices = "Any number of devices" if wish.reusable else "One device"
    context.say(f"{devices} of {owner} can join with it for {duration.words(given.expires)}:")
    context.say(f"  tailscale up --login-server {issued.login_server} --auth-key {issued.key.secret}")
    return 0


def _span(text: str) -> int:
    try:
        return duration.seconds(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
