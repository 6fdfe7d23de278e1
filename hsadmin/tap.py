"""What `twistd hsadmin` calls: options in, the whole program as one service out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.python import usage

from hsadmin import __version__
from hsadmin.application import Hsadmin
from hsadmin.config import Options as Given
from hsadmin.config import load, trial
from hsadmin.errors import ConfigProblem, Problem


class Options(usage.Options):
    """twistd parses these; what they mean is in `hsadmin.config`."""

    synopsis = "[--config FILE | --trial] [--work-dir DIR] [--listen LISTENER ...]"
    optParameters: ClassVar[list[list[Any]]] = [
        ["config", "c", None, "The configuration file, hsadmin.yaml."],
        ["work-dir", "w", None, "The work directory, in place of work_dir."],
    ]
    optFlags: ClassVar[list[list[str | None]]] = [["trial", None, "Try it: loopback only, no TLS, no sign-in, no configuration file."]]

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self.listeners: list[str] = []

    def opt_listen(self, listener: str) -> None:
        """A listener in place of server.listen, such as tcp:8080:interface=127.0.0.1; may be given several times."""
        self.listeners.append(listener)

    def opt_version(self) -> None:
        """Print the version and end."""
        print(f"hsadmin {__version__}")  # noqa: T201 - it was asked for
        raise SystemExit(0)


def makeService(options: Options) -> IService:
    """Everything that can be judged without touching the machine is judged here; nothing is opened yet. Ends with one sentence and a status."""
    from twisted.internet import reactor  # noqa: PLC0415 - twistd chooses the reactor before it calls us

    try:
        given = Given(cwd=Path.cwd(), work_dir=options["work-dir"], listen=tuple(options.listeners))
        if options["trial"] == bool(options["config"]):
            raise ConfigProblem("hsadmin needs one of --config FILE and --trial.")
        config = trial(given) if options["trial"] else load(Path(options["config"]), given)
    except Problem as problem:
        print(problem.sentence, file=sys.stderr)  # noqa: T201 - there is no log yet
        raise SystemExit(problem.exit_status) from None
    return Hsadmin(reactor, config, environ=os.environ)
