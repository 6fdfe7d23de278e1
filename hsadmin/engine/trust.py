"""Trust on first use: the SHA-256 of every binary at the moment it was first accepted, compared at each later start.

What was built here or supplied without a hash has no other witness. Pinned binaries are recorded as well: should one rot or be replaced
afterwards, it is told as a change and not taken for something new. A record is about a place and a version: putting another version in
the same place, and naming it in the configuration, is a decision of the operator; other bytes under the same version are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from hsadmin.engine.files import write_whole
from hsadmin.errors import BinaryChanged, TrustFileUnusable
from hsadmin.model.engine import Trust


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """One acceptance. `place` is the name on the shelf, or the absolute path of a supplied binary; `at` is seconds since the epoch."""

    place: str
    version: str
    sha256: str
    trust: Trust
    at: float


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    accepted: tuple[Accepted, ...] = ()


class TrustRecord:
    """The record's file; read anew at each question, for the command line may have written it meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> Sequence[Accepted]:
        """In the order of acceptance. Raises TrustFileUnusable: a record that cannot be read must not pass for an empty one."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TrustFileUnusable(
                f"{self._path} cannot be read ({error.strerror}); it records which headscale binaries were accepted."
            ) from error
        try:
            return msgspec.json.decode(content, type=_File).accepted
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TrustFileUnusable(
                f"{self._path} is damaged ({error}); restore it from a backup, or remove it if you trust the binaries that are in place now."
            ) from error

    def find(self, place: str, version: str) -> Accepted | None:
        return next((one for one in self.all() if one.place == place and one.version == version), None)

    def must_be_unchanged(self, place: str, version: str, sha256: str, *, path: Path, remedy: str) -> Accepted | None:
        """The record this file agrees with, None if it is seen for the first time. Raises BinaryChanged."""
        known = self.find(place, version)
        if known is not None and known.sha256 != sha256:
            raise BinaryChanged(
                f"{path} is not the file that was accepted: its SHA-256 begins with {sha256[:12]}, recorded was {known.sha256[:12]}. {remedy}",
                path=str(path),
                found=sha256,
                recorded=known.sha256,
            )
        return known

    def accept(self, accepted: Accepted) -> None:
        """Records, in place of what was recorded for the same place and version. Raises TrustFileUnusable."""
        kept = tuple(one for one in self.all() if (one.place, one.version) != (accepted.place, accepted.version))
        content = msgspec.json.format(msgspec.json.encode(_File(accepted=(*kept, accepted))), indent=2) + b"\n"
        try:
            write_whole(self._path, content)
        except OSError as error:
            raise TrustFileUnusable(
                f"{self._path} cannot be written ({error.strerror}); without it hsadmin cannot tell later whether the headscale binary was changed."
            ) from error
