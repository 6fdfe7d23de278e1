"""`hsadmin headscale -- ARGS`: becomes the headscale that is supervised, with the configuration it runs with.

The binary is judged as at every start, hash included. The environment is scrubbed as the supervised one's is: a stray HEADSCALE_… variable
would quietly mean another server.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from hsadmin.cli.context import Context
from hsadmin.cli.engine import releases
from hsadmin.engine.launch import INHERITED
from hsadmin.engine.shelf import Shelf
from hsadmin.errors import BinaryMissing, SettingsUnreadable
from hsadmin.model.layout import Layout
from hsadmin.resolving import this_platform

FOR_TERMINALS = frozenset({"TERM", "NO_COLOR", "COLUMNS"})


def add(commands: Any) -> None:
    command = commands.add_parser(
        "headscale", help="run the supervised headscale's own command line: hsadmin headscale -- nodes list", description=__doc__
    )
    command.add_argument("words", nargs=argparse.REMAINDER, metavar="-- ARGS", help="what headscale gets")
    command.set_defaults(run=headscale)


async def headscale(context: Context) -> int:
    """Does not return: the process is headscale from here on."""
    config = context.config()
    layout = Layout(config.work_dir)
    if config.headscale.binary is None:
        shelved = Shelf(config.bin_dir).path(config.headscale.version, this_platform())
        if not shelved.exists():
            raise BinaryMissing(f"There is no {shelved} yet; `hsadmin engine fetch` gets it.")
    if not os.access(layout.headscale_yaml, os.R_OK):
        raise SettingsUnreadable(
            f"{layout.headscale_yaml} is not there, or not for this user to read; hsadmin writes it at its first start."
        )
    resolved = await releases(context, config=config).resolve(lambda sentence: None)
    words = context.arguments.words
    command = [os.fspath(resolved.path), "-c", os.fspath(layout.headscale_yaml), *(words[1:] if words[:1] == ["--"] else words)]
    environment = {name: value for name, value in context.environ.items() if name in INHERITED | FOR_TERMINALS}
    os.umask(0o077)
    context.become(command, environment)
    return 0
