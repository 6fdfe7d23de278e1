"""What a command is given, so that a test can give it something else."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import msgspec

from hsadmin.cli.remote import Daemon
from hsadmin.config import Config, Options, load, trial
from hsadmin.config.load import TRIAL_WORK_DIR
from hsadmin.errors import ConfigProblem
from hsadmin.model.layout import Layout

IN_SERVICE = Path("/etc/hsadmin/hsadmin.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`cwd` is absolute; `reactor` is only there for commands that are coroutines."""

    arguments: Namespace
    environ: Mapping[str, str]
    cwd: Path
    out: TextIO
    err: TextIO
    reactor: Any = None
    in_service: Path = IN_SERVICE
    execve: Callable[[str, list[str], Mapping[str, str]], Any] = os.execve

    def config(self) -> Config:
        """The configuration meant: --config, else the trial in --work-dir, else the service's, else a trial that is here. Raises ConfigProblem."""
        options = Options(cwd=self.cwd, work_dir=self.arguments.work_dir)
        if self.arguments.config is not None:
            return load(Path(self.arguments.config), options)
        if self.arguments.work_dir is not None:
            return trial(options)
        if self.in_service.exists():
            return load(self.in_service, options)
        if (self.cwd / TRIAL_WORK_DIR).is_dir():
            return trial(options)
        here = f"neither {self.in_service} nor ./{TRIAL_WORK_DIR} is here"
        raise ConfigProblem(f"Which hsadmin is meant? Give --config FILE or --work-dir DIR; {here}.")

    def layout(self) -> Layout:
        return Layout(self.config().work_dir)

    def daemon(self) -> Daemon:
        return Daemon(self.reactor, self.layout().admin_socket)

    def say(self, sentence: str) -> None:
        """For the person; never data."""
        print(sentence, file=self.err, flush=True)

    def show(self, value: Any, lines: Iterable[str]) -> None:
        """The command's result: `value` with --json, else `lines`."""
        if self.arguments.json:
            print(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode(), file=self.out, flush=True)
        else:
            for line in lines:
                print(line, file=self.out, flush=True)

    def become(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Another program in our place, with exactly this environment."""
        self.out.flush()
        self.err.flush()
        self.execve(command[0], list(command), environment)
