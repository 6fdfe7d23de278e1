"""Where `hsadmin` begins and ends.

A run ends with 0, with the exit status of the Problem that stopped it, with 64 for a command line that cannot be understood, with 70 for a
fault of ours, and with 130 on Ctrl-C. A person reads sentences on stderr; a traceback only when it was asked for with --traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TextIO

from twisted.internet.defer import Deferred
from twisted.logger import globalLogBeginner

from hsadmin.cli import check, engine, headscale, keys, status, users, version
from hsadmin.cli.context import Context
from hsadmin.errors import Problem, UsageProblem

FAULT = 70
INTERRUPTED = 130


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """The exit status."""
    err = err or sys.stderr
    wants_traceback = False
    os.umask(0o077)  # as the daemon's: what a command makes in the work directory is for the same eyes
    try:
        arguments = parse(sys.argv[1:] if argv is None else argv)
        wants_traceback = arguments.traceback
        context = Context(arguments=arguments, environ=environ, cwd=Path.cwd(), out=out or sys.stdout, err=err)
        if inspect.iscoroutinefunction(arguments.run):
            return _in_reactor(context)
        ended: int = arguments.run(context)
        return ended
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough; nothing more may be written, not even at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Problem as problem:
        print(problem.sentence, file=err)
        return problem.exit_status
    except Exception as fault:  # noqa: BLE001 - the last place where a fault can become a sentence
        if wants_traceback:
            traceback.print_exc(file=err)
        else:
            print(f"hsadmin failed ({type(fault).__name__}: {fault}); --traceback shows where.", file=err)
        return FAULT


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Raises UsageProblem; --help and -h end the program themselves."""
    parser = _Parser(prog="hsadmin", description="A Tailscale control server in one program: headscale, its front door and its console.")
    _add_options(parser, None)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Command)
    for module in (version, check, engine, users, keys, headscale, status):
        module.add(commands)
    return parser.parse_args(argv)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{self.format_usage().strip()}\n{self.prog}: {message}")


class _Command(_Parser):
    """Takes the global options after the command as well; there they have no default, lest they undo those before it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        _add_options(self, argparse.SUPPRESS)


def _add_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    options = parser.add_argument_group("which hsadmin, and how to answer")
    options.add_argument("--config", "-c", metavar="FILE", default=default, help="its hsadmin.yaml (default: /etc/hsadmin/hsadmin.yaml)")
    options.add_argument("--work-dir", "-w", metavar="DIR", default=default, help="its work directory; without --config, that of a trial")
    options.add_argument("--json", action="store_true", default=default or False, help="answer as JSON on stdout")
    options.add_argument("--traceback", action="store_true", default=default or False, help="show where a fault of hsadmin's own happened")


def _in_reactor(context: Context) -> int:
    from twisted.internet import reactor, task  # noqa: PLC0415 - commands that wait for nothing do without

    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    outcome: list[int | Exception] = [INTERRUPTED]
    stopping: list[bool] = []

    async def whole() -> None:
        try:
            outcome[0] = await context.arguments.run(replace(context, reactor=reactor))
        except Exception as fault:  # noqa: BLE001 - told after the reactor has ended
            outcome[0] = INTERRUPTED if stopping else fault

    def run(started: Any) -> Deferred[None]:
        running = Deferred.fromCoroutine(whole())
        ended: Deferred[None] = Deferred()

        def stop() -> Deferred[None]:
            """Ctrl-C: what the command began is undone before the reactor ends."""
            stopping.append(True)
            running.cancel()
            return ended

        started.addSystemEventTrigger("before", "shutdown", stop)
        running.addBoth(lambda _: ended.callback(None))
        return running

    with contextlib.suppress(SystemExit):  # react always ends with one
        task.react(run)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]
