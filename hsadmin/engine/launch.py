"""What is spawned, with which environment, and why it cannot be when it cannot.

headscale lets every `HEADSCALE_*` variable override its file, also keys that the file does not have, and one named like a parent key
hides all its children and their defaults; so the child gets a few named variables and nothing else. A file is looked at before it is
spawned, because what the system says about a missing interpreter is "no such file" about a file that is plainly there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hsadmin.errors import EngineProblem
from hsadmin.model.engine import Trust

INHERITED = frozenset(
    {
        "PATH",
        "HOME",
        "TZ",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        # where Go looks for certificate authorities, and how it goes out (OIDC discovery, remote relay maps)
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        # what an operator may limit without touching hsadmin
        "GOMEMLIMIT",
        "GOMAXPROCS",
        "GOGC",
        "GOTRACEBACK",
    }
)


class SpawnProblem(EngineProblem):
    """The binary could not be run at all."""

    code = "engine.spawn-failed"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One start: made anew before each, so that a changed binary or configuration is what runs.

    `environment` may be the whole of ours: only `INHERITED` names reach the child.
    `health` is the URL of `GET /health` on headscale's own listener.
    """

    binary: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    version: str
    trust: Trust
    socket_path: Path
    health: str
    warnings: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        return (str(self.binary), *self.arguments)

    @property
    def scrubbed(self) -> dict[str, str]:
        return {name: value for name, value in self.environment.items() if name in INHERITED}

    def check(self) -> None:
        """Raises SpawnProblem when it is plain that the binary cannot be run."""
        try:
            mode = self.binary.stat().st_mode
        except OSError as fault:
            raise SpawnProblem(spawn_sentence(self.binary, fault)) from fault
        if not stat.S_ISREG(mode):
            raise SpawnProblem(f"{self.binary} is not a file, so it cannot be run as headscale.")
        if not os.access(self.binary, os.X_OK):
            reason = "its file system is mounted noexec" if mode & 0o111 else "its mode has no execute permission"
            raise SpawnProblem(f"{self.binary} may not be executed: {reason}, or it is not for this user.")


def spawn_sentence(binary: Path, fault: OSError) -> str:
    """What a failed spawn means for a person."""
    match fault.errno:
        case errno.ENOENT if binary.exists():
            return f"{binary} names an interpreter or loader that is not here, so it cannot be run."
        case errno.ENOENT:
            return f"{binary} does not exist."
        case errno.EACCES | errno.EPERM:
            return f"{binary} may not be executed by this user."
        case errno.ENOEXEC:
            return f"{binary} is not a program this system can run: it is damaged, or made for another system or processor."
        case errno.E2BIG:
            return f"{binary} could not be run: its arguments and environment are too long together."
        case errno.EMFILE | errno.ENFILE:
            return f"{binary} could not be run: too many files are open (the limit of open files, LimitNOFILE)."
        case errno.EAGAIN | errno.ENOMEM:
            return f"{binary} could not be run: there is no memory, or no process, left for it."
        case errno.ETXTBSY:
            return f"{binary} is being written, so it cannot be run yet."
        case _:
            return f"{binary} could not be run: {fault.strerror or fault}."
