"""headscale.yaml on disk: made once, then only corrected, and never left half-written.

The file is the only home of headscale's settings and belongs to the operator. It is replaced by rename only, what was there before stays beside it as
`.bak`, and a file that cannot be understood is left alone and said to be so.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hsadmin.engine.files import NO_SPACE, write_whole
from hsadmin.errors import SettingsNoSpace, SettingsProblem, SettingsReadOnly, SettingsUnreadable, SettingsUnwritable
from hsadmin.settings import Derp, Facts, compare, decode, derp_map, headscale_yaml, put, read

LARGEST = 1 << 20
TRIES = 3


@dataclass(frozen=True, slots=True)
class Report:
    """What a reconciliation did, in sentences; `text` is what stands in the file now."""

    created: bool
    corrections: Sequence[str]
    warnings: Sequence[str]
    text: str


class YamlFile:
    """`path` may be a symbolic link: what it leads to is replaced, the link stays."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def backup(self) -> Path:
        return self.path.with_name(f"{self.path.name}.bak")

    def remembered(self) -> Mapping[str, str]:
        """Values that are text, by dotted name; none when there is no file yet. Raises SettingsProblem."""
        data = self._read()
        if data is None:
            return {}
        leaves = read(decode(data, str(self.path)), str(self.path)).leaves
        return {name: leaf.value for name, leaf in leaves.items() if isinstance(leaf.value, str)}

    def reconcile(self, facts: Facts, first_render: Callable[[Facts], str] = headscale_yaml) -> Report:
        """Makes the file, or puts the owned keys right. Raises SettingsProblem; the file is then as it was."""
        for _ in range(TRIES):
            data = self._read()
            report = Report(True, (), (), first_render(facts)) if data is None else self._corrected(decode(data, str(self.path)), facts)
            new = report.text.encode()
            if self._read() == data:
                break
        else:
            raise SettingsUnwritable(f"{self.path} is being changed by somebody else again and again; hsadmin left it alone")
        if facts.derp is Derp.STUN_ONLY:
            self._write_relay_map(facts)
        if new != data:
            if data is not None:
                self._write(self.backup, data)
            self._write(self.path, new)
        if report.created:
            self._corrected(
                report.text, facts
            )  # such as a server whose name is inside the first base domain: the file is there to be edited
        return report

    def _corrected(self, text: str, facts: Facts) -> Report:
        name = str(self.path)
        found = compare(read(text, name), facts)
        if found.problems:
            more = len(found.problems) - 1
            raise SettingsProblem(found.problems[0] + (f" (and {more} more {'fault' if more == 1 else 'faults'})" if more else ""))
        for correction in found.corrections:
            text = put(text, correction.name, correction.value, file=name)
        return Report(False, tuple(correction.sentence for correction in found.corrections), tuple(found.warnings), text)

    def _write_relay_map(self, facts: Facts) -> None:
        path, content = facts.layout.derp_map, derp_map(facts).encode()
        try:
            if path.read_bytes() == content:
                return
        except OSError:
            pass  # there is none yet, or none that can be read: writing says what is wrong
        self._write(path, content)

    def _read(self) -> bytes | None:
        """None when there is no such file. O_NONBLOCK: a pipe in its place must not hold up the program."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            if self.path.is_symlink():
                raise SettingsUnreadable(f"{self.path} is a symbolic link to a file that does not exist") from None
            return None
        except OSError as error:
            raise self._unreadable(error) from None
        try:
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise SettingsUnreadable(f"{self.path} is not a file; headscale's settings are one")
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise self._unreadable(error) from None
        if len(data) > LARGEST:
            raise SettingsUnreadable(f"{self.path} is larger than 1 MiB; these are not headscale's settings")
        return data

    def _unreadable(self, error: OSError) -> SettingsUnreadable:
        if error.errno == errno.EISDIR:
            return SettingsUnreadable(f"{self.path} is a folder; headscale's settings are a file")
        if error.errno == errno.EACCES:
            return SettingsUnreadable(f"{self.path} may not be read by this user; it was not changed")
        return SettingsUnreadable(f"{self.path} cannot be read: {error.strerror or error}")

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_whole(path.resolve(), data, mode=0o600)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise SettingsNoSpace(f"{path} cannot be written, the disk is full; what was there before is still there") from None
            if error.errno == errno.EROFS:
                raise SettingsReadOnly(f"{path} cannot be written, its file system is mounted read-only") from None
            raise SettingsUnwritable(f"{path} cannot be written: {error.strerror or error}; what was there before is still there") from None
