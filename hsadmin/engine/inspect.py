"""Is this file a headscale that can run here? One Problem, with one sentence, for each way it is not.

First its bytes are looked at, without running anything: a web page that a captive portal sent instead of the binary, an archive, a
program for another machine, a file that ends early. Then whether the system lets us run it. Only then it is asked for its version, with
an empty environment and a deadline. A script passes the first look: wrappers are legitimate, and its answer is judged like any other.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import TimeoutError as Overdue

from hsadmin.engine.command import run
from hsadmin.engine.pins import Platform
from hsadmin.engine.shelf import must_run_programs
from hsadmin.errors import (
    BinaryForOtherPlatform,
    BinaryMissing,
    BinaryNotExecutable,
    BinaryOtherVersion,
    BinaryTruncated,
    NotABinary,
    NotHeadscale,
)

HEAD = 4096

ELF_MACHINES = {
    3: "386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    258: "loong64",
}
ELF_SYSTEMS = {9: "freebsd", 6: "solaris", 12: "openbsd", 2: "netbsd"}  # 0 and 3 are Linux; Go marks the others
ELF_NOBITS = 8  # a section that takes no room in the file
MACH_MACHINES = {0x01000007: "amd64", 0x0100000C: "arm64"}

FOREIGN = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"!<arch>", "a Debian package"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
)


def what_else(head: bytes) -> str | None:
    """What bytes that are certainly no program are, in words; None when they may be one."""
    if not head:
        return "an empty file"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64].lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--")):
        return "a web page"
    for magic, words in FOREIGN:
        if head.startswith(magic):
            return words
    if head.startswith((b"#!", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"MZ")):
        return None
    return "a text file" if head.isascii() and b"\0" not in head else "no program"


def judge_bytes(head: bytes, size: int, platform: Platform, name: str) -> None:
    """From the first HEAD bytes and the size. Raises NotABinary, BinaryTruncated or BinaryForOtherPlatform."""
    other = what_else(head)
    if other is not None:
        raise NotABinary(
            f"{name} is {other}, not a headscale binary; fetch the plain executable of the release, without an ending in its name."
        )
    if head.startswith(b"#!"):
        return
    try:
        found = _platform_of(head)
    except struct.error:
        raise BinaryTruncated(f"{name} ends after {size} bytes, within its own header; fetch it again.") from None
    if found is not None and found != platform:
        raise BinaryForOtherPlatform(
            f"{name} is a program for {found}, and this machine is {platform}; use the file of the release for {platform}."
        )
    if head.startswith(b"\x7fELF") and (whole := _elf_size(head)) > size:
        raise BinaryTruncated(f"{name} ends after {size} of at least {whole} bytes; fetch it again.")


def _platform_of(head: bytes) -> Platform | None:
    """None for a file of several platforms in one."""
    if head.startswith(b"MZ"):
        return Platform("windows", "amd64")
    if head.startswith(b"\xca\xfe\xba\xbe"):
        return None
    if head.startswith(b"\xcf\xfa\xed\xfe"):
        (cpu,) = struct.unpack_from("<I", head, 4)
        return Platform("darwin", MACH_MACHINES.get(cpu, f"processor {cpu:#x}"))
    order = ">" if head[5:6] == b"\x02" else "<"
    (machine,) = struct.unpack_from(f"{order}H", head, 18)
    arch = ELF_MACHINES.get(machine, f"processor {machine}")
    return Platform(ELF_SYSTEMS.get(head[7], "linux"), arch)


def _elf_size(head: bytes) -> int:
    """How long the file must be at least: the end of its tables, segments and sections as far as `head` names them; of 32-bit files the header."""
    if head[4:5] != b"\x02":
        return 52
    if len(head) < 64:
        return 64
    order = ">" if head[5:6] == b"\x02" else "<"
    segments, sections = struct.unpack_from(f"{order}QQ", head, 32)
    segment_entry, segment_count, section_entry, section_count = struct.unpack_from(f"{order}HHHH", head, 54)
    ends: list[int] = [segments + segment_entry * segment_count, sections + section_entry * section_count]
    for start in _entries(head, segments, segment_entry, segment_count, 56):
        offset, _, _, length = struct.unpack_from(f"{order}QQQQ", head, start + 8)
        ends.append(offset + length)
    for start in _entries(head, sections, section_entry, section_count, 64):
        kind, _, _, offset, length = struct.unpack_from(f"{order}IQQQQ", head, start + 4)
        ends.append(offset if kind == ELF_NOBITS else offset + length)
    return max(ends)


def _entries(head: bytes, table: int, entry: int, count: int, size: int) -> list[int]:
    """Where the table's entries begin that `head` holds whole."""
    return [start for index in range(count) if entry >= size and (start := table + index * entry) + size <= len(head)]


def bare(version: str) -> str:
    """`v0.29.3+dirty` -> `0.29.3`."""
    return version.removeprefix("v").partition("+")[0]


class Inspector:
    """Looks at files for one platform."""

    def __init__(
        self,
        reactor: Any,
        platform: Platform,
        *,
        deadline: float = 20.0,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        self._reactor = reactor
        self._platform = platform
        self._deadline = deadline
        self._statvfs = statvfs

    def look(self, path: Path) -> None:
        """Judges the bytes alone; `path` may still lack the right to be executed. Raises ReleaseProblem."""
        try:
            mode = path.stat().st_mode
            if not stat.S_ISREG(mode):
                raise BinaryMissing(f"{path} is not a file; headscale.binary must name the headscale executable itself.")
            with path.open("rb") as file:
                head = file.read(HEAD)
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            raise BinaryMissing(
                f"{path} does not exist; put the headscale binary there, or remove headscale.binary to have it fetched."
            ) from None
        except OSError as error:
            raise BinaryMissing(
                f"{path} cannot be read ({error.strerror}); let the user that hsadmin runs as read and execute it."
            ) from error
        judge_bytes(head, size, self._platform, str(path))

    def may_run(self, path: Path) -> None:
        """Whether the system would let us run it. Raises BinaryNotExecutable or FolderNoexec."""
        must_run_programs(path, self._statvfs)
        if not os.access(path, os.X_OK):
            raise BinaryNotExecutable(f"{path} may not be executed by the user that hsadmin runs as; `chmod 755` it.")

    async def version(self, path: Path) -> str:
        """What it says of itself, without v and suffix. Raises ReleaseProblem."""
        try:
            finished = await run(self._reactor, [str(path), "version", "-o", "json"], environment={}, deadline=self._deadline)
        except Overdue:
            raise NotHeadscale(
                f"{path} did not tell its version within {self._deadline:g} s; it is not a headscale binary, or cannot run here."
            ) from None
        except OSError as error:
            raise BinaryNotExecutable(f"{path} cannot be started ({error.strerror}).") from error
        try:
            said = json.loads(finished.out)["version"]
        except (ValueError, LookupError, TypeError):
            said = None
        if finished.status != 0 or not isinstance(said, str):
            raise NotHeadscale(
                f"{path} does not answer `version -o json` as headscale does: {_ending(finished.status)}{_words(finished.err)}."
            )
        return bare(said)

    async def must_be(self, path: Path, version: str) -> None:
        """Everything: bytes, right to run, and exactly this version. Raises ReleaseProblem."""
        self.look(path)
        self.may_run(path)
        await self.must_answer(path, version)

    async def must_answer(self, path: Path, version: str) -> None:
        """Raises BinaryOtherVersion or NotHeadscale."""
        found = await self.version(path)
        if found != version:
            raise BinaryOtherVersion(
                f"{path} is headscale {printable(found)}, and {version} is configured; set headscale.version to what you mean to run.",
                found=printable(found),
            )


def _ending(status: int) -> str:
    return f"it was ended by signal {-status}" if status < 0 else f"exit status {status}"


def _words(err: bytes) -> str:
    line = printable(err.decode("utf-8", "replace").strip().partition("\n")[0])
    return f", {line!r}" if line else ""


def printable(text: str) -> str:
    """A stranger's words in a sentence of ours: one line, no control characters, not long."""
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:120]
