"""`hsadmin version`."""

from __future__ import annotations

import sys
from typing import Any

import twisted
from hsadmin import __version__
from hsadmin.cli.context import Context


def add(commands: Any) -> None:
    command = commands.add_parser("version", help="the versions of hsadmin and of what it runs on")
    command.set_defaults(run=version)


def version(context: Context) -> int:
    found = {"hsadmin": __version__, "python": sys.version.split()[0], "twisted": twisted.__version__}
    context.show(found, [f"hsadmin {__version__}"])
    return 0
