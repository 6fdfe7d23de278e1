"""One sentence for each way in which a file is not a headscale that runs here."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase, TestCase

from hsadmin.engine.inspect import Inspector, bare, judge_bytes
from hsadmin.engine.pins import Platform
from hsadmin.errors import (
    BinaryForOtherPlatform,
    BinaryMissing,
    BinaryNotExecutable,
    BinaryOtherVersion,
    BinaryTruncated,
    FolderNoexec,
    NotABinary,
    NotHeadscale,
)
from tests.fakes.releases import PLATFORM, fake_headscale, reactor, refusal


def elf(machine: int = 62, *, system: int = 0, body: int = 1000, debug: int = 0, order: str = "<") -> bytes:
    """An ELF file as Go links it: both tables, one segment of `body` bytes, then a section of `debug` bytes and one that takes none."""
    ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1, system]) + bytes(8)
    head = struct.pack(f"{order}HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 120, 0, 64, 56, 1, 64, 2, 0)
    segment = struct.pack(f"{order}IIQQQQQQ", 1, 5, 248, 0, 0, body, body, 4096)
    sections = [(1, 248 + body, debug), (8, 248 + body, 10**6)]
    table = b"".join(struct.pack(f"{order}IIQQQQIIQQ", 0, kind, 0, 0, offset, size, 0, 0, 1, 0) for kind, offset, size in sections)
    return ident + head + segment + table + bytes(body + debug)


def mach(cpu: int) -> bytes:
    return struct.pack("<II", 0xFEEDFACF, cpu) + bytes(100)


class Bytes(SynchronousTestCase):
    def judge(self, content: bytes, platform: Platform = PLATFORM, size: int | None = None) -> None:
        judge_bytes(content[:4096], len(content) if size is None else size, platform, "/bin/headscale")

    def test_programs_for_this_machine(self) -> None:
        for content, platform in (
            (elf(), Platform("linux", "amd64")),
            (elf(system=3), Platform("linux", "amd64")),
            (elf(183), Platform("linux", "arm64")),
            (elf(22, order=">"), Platform("linux", "s390x")),
            (elf(system=9), Platform("freebsd", "amd64")),
            (mach(0x0100000C), Platform("darwin", "arm64")),
            (b"\xca\xfe\xba\xbe" + bytes(100), Platform("darwin", "arm64")),
            (b"#!/bin/sh\n", PLATFORM),
        ):
            self.judge(content, platform)

    def test_programs_for_another_one(self) -> None:
        for content, found in (
            (elf(183), "linux/arm64"),
            (elf(40), "linux/arm"),
            (elf(999), "linux/processor 999"),
            (elf(system=9), "freebsd/amd64"),
            (mach(0x01000007), "darwin/amd64"),
            (b"MZ" + bytes(100), "windows/amd64"),
        ):
            problem = self.assertRaises(BinaryForOtherPlatform, self.judge, content)
            self.assertIn(f"for {found}, and this machine is linux/amd64", problem.sentence)

    def test_no_programs_at_all(self) -> None:
        for content, words in (
            (b"", "an empty file"),
            (b"<!DOCTYPE html><html>", "a web page"),
            (b"\xef\xbb\xbf\r\n <HTML>", "a web page"),
            (b'<?xml version="1.0"?><Error>', "a web page"),
            (b"Not Found", "a text file"),
            (b"\x1f\x8b\x08" + bytes(50), "a gzip archive"),
            (b"PK\x03\x04" + bytes(50), "a zip archive"),
            (b"!<arch>\ndebian-binary", "a Debian package"),
            (b"\x00\x01\x02" * 50, "no program"),
        ):
            self.assertIn(f"/bin/headscale is {words}", self.assertRaises(NotABinary, self.judge, content).sentence)

    def test_every_truncation_is_told(self) -> None:
        for whole in (elf(body=300), elf(body=30, debug=300), elf(22, body=30, debug=300, order=">")):
            platform = Platform("linux", "s390x" if whole[5] == 2 else "amd64")
            self.judge(whole, platform)
            for size in range(4, len(whole)):
                self.assertRaises(BinaryTruncated, self.judge, whole[:size], platform)

    def test_any_bytes_are_judged_and_never_crash(self) -> None:
        for whole in (elf(), mach(0x01000007)):
            for index in range(len(whole[:400])):
                for value in (0, 1, 2, 255):
                    with contextlib.suppress(BinaryTruncated, NotABinary, BinaryForOtherPlatform):
                        self.judge(whole[:index] + bytes([value]) + whole[index + 1 :])

    def test_versions_are_compared_bare(self) -> None:
        for said, expected in (("v0.29.3", "0.29.3"), ("0.29.3", "0.29.3"), ("v0.27.1+dirty", "0.27.1"), ("dev", "dev")):
            self.assertEqual(bare(said), expected)


class Run(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = (self.folder / "headscale").absolute()
        self.inspector = Inspector(reactor, PLATFORM)

    def put(self, content: bytes, mode: int = 0o755) -> Path:
        self.path.write_bytes(content)
        self.path.chmod(mode)
        return self.path

    async def must_be(self) -> None:
        await self.inspector.must_be(self.path, "0.29.3")

    async def test_the_configured_version(self) -> None:
        for said in ("v0.29.3", "0.29.3", "v0.29.3+dirty"):
            self.put(fake_headscale(said))
            await self.must_be()

    async def test_another_version(self) -> None:
        for said in ("v0.28.0", "v0.29.2", "dev", "v0.29.3\x1b[31m-evil"):
            self.put(fake_headscale(said))
            problem = await refusal(self.must_be(), BinaryOtherVersion)
            self.assertIn("0.29.3 is configured", problem.sentence)
            self.assertTrue(problem.sentence.isprintable())

    async def test_programs_that_are_not_headscale(self) -> None:
        for script, words in (
            ("echo hello", "exit status 0"),
            ("echo '{\"version\": 3}'", "exit status 0"),
            ("echo '[]'", "exit status 0"),
            ("echo 'no such command' >&2; exit 3", "exit status 3, 'no such command'"),
            ("kill -11 $$", "ended by signal 11"),
            ("head -c 100000 /dev/zero", "exit status 0"),
        ):
            self.put(f"#!/bin/sh\n{script}\n".encode())
            problem = await refusal(self.must_be(), NotHeadscale)
            self.assertIn(words, problem.sentence)

    async def test_one_that_never_answers_is_ended(self) -> None:
        self.inspector = Inspector(reactor, PLATFORM, deadline=0.3)
        marker = self.folder.absolute() / "pid"
        self.put(f"#!/bin/sh\necho $$ > {marker}.new; mv {marker}.new {marker}\nexec sleep 60\n".encode())
        problem = await refusal(self.must_be(), NotHeadscale)
        self.assertIn("within 0.3 s", problem.sentence)
        if marker.exists():
            self.assertRaises(ProcessLookupError, os.kill, int(marker.read_text()), 0)

    async def test_it_is_run_with_an_empty_environment(self) -> None:
        seen = self.folder.absolute() / "environment"
        self.put(f"#!/bin/sh\n/usr/bin/env > {seen}\n".encode() + fake_headscale().removeprefix(b"#!/bin/sh\n"))
        os.environ["HSADMIN_SECRET"] = "secret"
        self.addCleanup(os.environ.pop, "HSADMIN_SECRET")
        await self.must_be()
        self.assertEqual(
            {line.partition("=")[0] for line in seen.read_text().splitlines()} - {"PWD", "SHLVL", "_", "OLDPWD", "PATH"}, set()
        )

    async def test_a_file_that_may_not_be_executed(self) -> None:
        self.put(fake_headscale(), 0o644)
        self.assertIn("chmod 755", (await refusal(self.must_be(), BinaryNotExecutable)).sentence)

    async def test_a_script_whose_interpreter_is_not_there(self) -> None:
        self.put(b"#!/no/such/interpreter\n")
        await refusal(self.must_be(), BinaryNotExecutable)

    async def test_a_mount_that_forbids_programs(self) -> None:
        self.inspector = Inspector(reactor, PLATFORM, statvfs=lambda _: Mock(f_flag=os.ST_NOEXEC))
        self.put(fake_headscale())
        await refusal(self.must_be(), FolderNoexec)

    async def test_no_file(self) -> None:
        self.assertIn("does not exist", (await refusal(self.must_be(), BinaryMissing)).sentence)
        self.path.mkdir()
        self.assertIn("is not a file", (await refusal(self.must_be(), BinaryMissing)).sentence)
