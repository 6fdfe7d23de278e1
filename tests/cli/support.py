"""A command run in this process, on the reactor of the test, with everything it is given made up; and a daemon's local socket, real."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hsadmin.cli.context import Context
from hsadmin.cli.main import parse
from hsadmin.console.neighbours import Neighbours
from hsadmin.console.sites import admin_site


class Ended(NamedTuple):
    status: int
    out: str
    err: str
    became: Sequence[tuple[str, list[str], Mapping[str, str]]]


class CommandTestCase(TestCase):
    """`folder` is short, since sockets are below it; `work` is the work directory of a trial."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hs"))
        self.addCleanup(rmtree, self.folder)
        self.work = self.folder / "w"
        self.work.mkdir(mode=0o700)
        (self.work / "run").mkdir()

    def daemon(self, near: Neighbours, **settings: Any) -> None:
        site = admin_site(reactor, self.work / "run" / "admin.sock", near, **settings)
        site.startService()
        self.addCleanup(site.stopService)

    async def run_command(self, *words: str, environ: Mapping[str, str] | None = None) -> Ended:
        """Raises the command's Problem, as `main` would see it."""
        became: list[tuple[str, list[str], Mapping[str, str]]] = []
        context = Context(
            arguments=parse(words),
            environ=dict(os.environ) if environ is None else environ,
            cwd=self.folder,
            out=io.StringIO(),
            err=io.StringIO(),
            reactor=reactor,
            in_service=self.folder / "none.yaml",
            execve=lambda *given: became.append(given),
        )
        result = context.arguments.run(context)
        status = result if isinstance(result, int) else await Deferred.fromCoroutine(result)
        return Ended(status, context.out.getvalue(), context.err.getvalue(), became)  # type: ignore[attr-defined]  # StringIO, above
