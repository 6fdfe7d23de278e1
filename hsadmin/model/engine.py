"""What can be said of the supervised headscale at one moment."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec


class Phase(StrEnum):
    """Where the supervised headscale is in its life; `crash-loop` and `unavailable` keep trying, and say when."""

    IDLE = "idle"  # not asked to run yet
    PREPARING = "preparing"  # resolving the binary, reconciling headscale.yaml
    STARTING = "starting"  # spawned, not ready yet
    READY = "ready"  # gRPC Health and GET /health both good
    BACKING_OFF = "backing-off"  # ended; waits for its next start
    CRASH_LOOP = "crash-loop"  # ended again and again without ever being healthy for long
    UNAVAILABLE = "unavailable"  # could not even be spawned: no binary, unreadable configuration
    STOPPING = "stopping"
    STOPPED = "stopped"


class Trust(StrEnum):
    """Why the binary is believed to be headscale."""

    PINNED = "pinned"  # its SHA-256 is shipped with hsadmin or given by the operator
    FIRST_USE = "first-use"  # built here or supplied without a hash: its SHA-256 was recorded when first accepted


class Origin(StrEnum):
    """Where the binary came from in this very resolution."""

    SUPPLIED = "supplied"  # `headscale.binary`
    SHELF = "shelf"  # it was in `bin_dir` already
    DOWNLOAD = "download"
    BUILD = "build"  # compiled from the pinned source


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A headscale binary that may be run. `version` without a leading v, `sha256` in hex."""

    path: Path
    version: str
    sha256: str
    trust: Trust
    how: Origin


class ShelfEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A binary as `hsadmin engine list` and `verify` show it; `trust` is None when nothing vouches for it, `fault` is "" when all is well."""

    name: str
    path: Path
    version: str
    platform: str  # "linux/amd64"
    size: int
    sha256: str
    trust: Trust | None
    accepted: float | None = None  # seconds since the epoch
    fault: str = ""


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot; `since` and `retry_at` are seconds since the epoch (wall clock), `last_lines` are redacted, newest last."""

    phase: Phase = Phase.IDLE
    since: float = 0.0
    version: str = ""
    trust: Trust | None = None
    pid: int | None = None
    starts: int = 0
    restarts: int = 0  # starts that followed an end nobody asked for
    code: str = ""  # of the problem that the phase is about, "" when all is well
    reason: str = ""  # one sentence, "" when all is well
    last_lines: tuple[str, ...] = ()
    retry_at: float | None = None
    warnings: tuple[str, ...] = ()  # corrected foreign values, contract drift: sentences
