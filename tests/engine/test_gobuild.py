"""Nothing in the environment weakens what Go verifies, and nothing is compiled that is not the pinned source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from hsadmin.engine.gobuild import GoBuilder
from hsadmin.engine.pins import ModulePin
from hsadmin.errors import BuildFailed, GoMissing, Problem, ShelfFull, SourceMismatch
from tests.fakes.releases import MODULE, VERSION, FakeGo, Sayings, fake_headscale, reactor, refusal

SYSTEM = "/usr/bin:/bin"
OLDEST = "1.26.5"
NOTHING: Mapping[str, str] = {}
OTHER = ModulePin(zip="h1:" + "x" * 43 + "=", mod=MODULE.mod)


class Case(TestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()
        self.scratch = self.root / "scratch"
        self.scratch.mkdir()
        self.empty = self.root / "empty"
        self.empty.mkdir()
        self.say = Sayings()

    def builder(
        self, *folders: Path, beside: Path | None = None, deadline: float = 60.0, environ: Mapping[str, str] = NOTHING
    ) -> GoBuilder:
        path = os.pathsep.join([*map(str, folders), SYSTEM])
        return GoBuilder(reactor, environ={"PATH": path, **environ}, beside=beside or self.empty, deadline=deadline, pause=0.0)

    async def build(self, go: FakeGo, environ: Mapping[str, str] = NOTHING) -> Path:
        return await self.build_with(self.builder(go.folder, environ=environ))

    async def build_with(self, builder: GoBuilder) -> Path:
        found = await builder.find(OLDEST)
        return await builder.build(found, VERSION, MODULE, self.scratch, self.say)


class Find(Case):
    async def test_which_versions_are_new_enough(self) -> None:
        for version, good in (
            ("go1.26.5", True),
            ("go1.26.8 X:nodwarf5", True),
            ("go1.26.10", True),
            ("go1.27rc1", True),
            ("go1.27", True),
            ("go2.0.1", True),
            ("go1.26.4", False),
            ("go1.26rc3", False),
            ("go1.22.12", False),
            ("devel +abc", False),
        ):
            go = FakeGo(self.root / version.replace(" ", "-").replace(":", "-"), version=version)
            finding = self.builder(go.folder).find(OLDEST)
            if good:
                self.assertEqual((await finding).path, go.folder / "go")
            else:
                await refusal(finding, GoMissing)

    async def test_path_first_then_beside_the_interpreter(self) -> None:
        path, beside = FakeGo(self.root / "a"), FakeGo(self.root / "b")
        self.assertEqual((await self.builder(path.folder, beside=beside.folder).find(OLDEST)).path, path.folder / "go")
        self.assertEqual((await self.builder(beside=beside.folder).find(OLDEST)).path, beside.folder / "go")

    async def test_an_old_one_does_not_hide_a_new_one(self) -> None:
        old, new = FakeGo(self.root / "a", version="go1.22.1"), FakeGo(self.root / "b")
        self.assertEqual((await self.builder(old.folder, new.folder).find(OLDEST)).path, new.folder / "go")

    async def test_what_was_found_instead_is_named(self) -> None:
        old = FakeGo(self.root, version="go1.22.1")
        broken = self.root / "broken"
        broken.mkdir()
        (broken / "go").write_text("#!/bin/sh\nexit 1\n")
        (broken / "go").chmod(0o755)
        problem = await refusal(self.builder(old.folder, broken).find(OLDEST), GoMissing)
        self.assertIn(f"{old.folder}/go is go1.22.1; {broken}/go does not work", problem.sentence)

    async def test_none_at_all(self) -> None:
        problem = await refusal(self.builder().find(OLDEST), GoMissing)
        self.assertEqual(problem.sentence, "No Go 1.26.5 or newer is here to build headscale from source.")


class Build(Case):
    async def test_binary_steps_and_arguments(self) -> None:
        go = FakeGo(self.root)
        binary = await self.build(go)
        self.assertEqual(binary.read_bytes(), fake_headscale(note="compiled"))
        module = self.scratch / "module"
        self.assertEqual(
            go.lines("args"),
            [
                "env -json GOVERSION GOPROXY GOMODCACHE GOCACHE",
                f"-C {module} mod download -json github.com/juanfont/headscale@v0.29.3",
                f"-C {module} build -mod=mod -trimpath -buildvcs=false -v -o {binary} github.com/juanfont/headscale/cmd/headscale",
            ],
        )
        self.assertIn("require github.com/juanfont/headscale v0.29.3", (module / "go.mod").read_text())
        self.assertIn("1 modules fetched, 1 packages compiled", self.say.text)
        self.assertIn("Compiled headscale 0.29.3 with go1.26.8", self.say[-1])

    async def test_sums_are_the_pins_first_and_then_also_the_modules_own(self) -> None:
        go = FakeGo(self.root)
        await self.build(go)
        pinned = [f"github.com/juanfont/headscale v0.29.3 {MODULE.zip}", f"github.com/juanfont/headscale v0.29.3/go.mod {MODULE.mod}"]
        self.assertEqual(go.lines("sum"), [*pinned, *pinned, "example.com/dependency v1.0.0 h1:dependency"])

    async def test_nothing_that_weakens_go_reaches_it(self) -> None:
        go = FakeGo(self.root)
        weakening = {
            "GOFLAGS": "-insecure -mod=vendor",
            "GONOSUMDB": "*",
            "GONOSUMCHECK": "1",
            "GONOPROXY": "*",
            "GOINSECURE": "*",
            "GOPRIVATE": "*",
            "GOSUMDB": "off",
            "GOTOOLCHAIN": "go1.99",
            "GOEXPERIMENT": "x",
            "GOOS": "plan9",
            "GOARCH": "mips",
            "GOWORK": "/tmp/go.work",
            "GOROOT": "/tmp",
            "GOVCS": "*:all",
            "CGO_CFLAGS": "-fplugin=x",
            "CC": "/tmp/evil",
            "LD_PRELOAD": "/tmp/evil.so",
            "HSADMIN_SECRET": "secret",
        }
        kept = {"HOME": "/home/me", "https_proxy": "http://proxy.test:1", "NO_PROXY": "a.test", "SSL_CERT_FILE": "/ca.pem"}
        await self.build(go, weakening | kept)
        told = go.lines("env")
        for name, value in weakening.items():
            self.assertNotIn(f"{name}={value}", told)
        for name, value in kept.items():
            self.assertEqual(told.count(f"{name}={value}"), 3, name)
        for fixed in ("GOENV=off", "GOFLAGS=-mod=mod", "GOSUMDB=sum.golang.org", "GOWORK=off", "CGO_ENABLED=0"):
            self.assertEqual(told.count(fixed), 2, fixed)
        self.assertEqual(told.count("GOTOOLCHAIN=local"), 3)
        names = {line.partition("=")[0] for line in told if line.startswith(("GO", "CGO"))}
        self.assertEqual(
            names, {"GOENV", "GOFLAGS", "GOSUMDB", "GOTOOLCHAIN", "GOWORK", "GOPROXY", "GOMODCACHE", "GOCACHE", "GOTMPDIR", "CGO_ENABLED"}
        )

    async def test_modules_come_from_where_the_machine_says(self) -> None:
        go = FakeGo(self.root)
        await self.build(go)
        for setting in ("GOPROXY=https://proxy.invalid", "GOMODCACHE=/machine/modules", "GOCACHE=/machine/cache"):
            self.assertEqual(go.lines("env").count(setting), 2, setting)

    async def test_temporary_files_are_on_the_shelfs_disk(self) -> None:
        go = FakeGo(self.root)
        await self.build(go, {"TMPDIR": "/small"})
        self.assertEqual(go.lines("env").count(f"TMPDIR={self.scratch}/tmp"), 2)
        self.assertEqual(go.lines("env").count("TMPDIR=/small"), 0)


class Faults(Case):
    async def fails(self, go: FakeGo, kind: type[Problem]) -> str:
        return (await refusal(self.build(go), kind)).sentence

    async def test_another_source_is_never_compiled(self) -> None:
        for number, go in enumerate(
            (
                FakeGo(self.root / "zip", module=OTHER),
                FakeGo(self.root / "mod", module=ModulePin(zip=MODULE.zip, mod="h1:" + "y" * 43 + "=")),
                FakeGo(self.root / "go", module=OTHER, error="verifying module: checksum mismatch\n\tdownloaded: h1:x\n\tgo.sum: h1:z"),
            )
        ):
            self.scratch = self.root / f"scratch{number}"
            self.scratch.mkdir()
            sentence = await self.fails(go, SourceMismatch)
            self.assertIn("expected was h1:zzzzzzzzzzzz", sentence)
            self.assertFalse(any(" build " in line for line in go.lines("args")))

    async def test_source_that_cannot_be_fetched(self) -> None:
        go = FakeGo(self.root, module=ModulePin(zip="", mod=""), error="dial tcp: lookup proxy.invalid: no such host")
        self.assertIn("lookup proxy.invalid: no such host", await self.fails(go, BuildFailed))

    async def test_a_module_proxy_that_hangs(self) -> None:
        go = FakeGo(self.root)
        go.write(fetching="sleep 300")
        problem = await refusal(self.build_with(self.builder(go.folder, deadline=1.0)), BuildFailed)
        self.assertIn("GOPROXY", problem.sentence)

    async def test_a_go_that_talks_nonsense(self) -> None:
        for number, nonsense in enumerate(("[]", "3", "{", '{"Dir": 3}')):
            go = FakeGo(self.root / str(number))
            go.write(fetching=f"{{ echo '{nonsense}'; exit; }}")
            self.scratch = go.folder / "scratch"
            self.scratch.mkdir()
            await self.fails(go, BuildFailed)

    async def test_a_compiler_that_fails(self) -> None:
        go = FakeGo(self.root)
        go.write(building="{ echo 'x.go:1:2: undefined: y' >&2; false; }")
        self.assertIn("x.go:1:2: undefined: y", await self.fails(go, BuildFailed))

    async def test_a_compiler_that_leaves_nothing(self) -> None:
        go = FakeGo(self.root)
        go.write(building="exit 0")
        self.assertIn("exit status 0", await self.fails(go, BuildFailed))

    async def test_a_disk_that_runs_full(self) -> None:
        go = FakeGo(self.root)
        go.write(building="{ echo 'link: write /x: no space left on device' >&2; false; }")
        self.assertIn("disk ran full", await self.fails(go, ShelfFull))

    async def test_one_that_takes_too_long(self) -> None:
        go = FakeGo(self.root)
        go.write(building="sleep 300")
        builder = self.builder(go.folder, deadline=1.0)
        problem = await refusal(self.build_with(builder), BuildFailed)
        self.assertIn("longer than 1 s", problem.sentence)

    async def test_cancelled_kills_the_compiler(self) -> None:
        go = FakeGo(self.root)
        marker = self.root / "pid"
        go.write(building=f"{{ echo $$ > {marker}.new; mv {marker}.new {marker}; sleep 300; }}")
        running = Deferred.fromCoroutine(self.build(go))
        while not marker.exists():
            await deferLater(reactor, 0.01)
        running.cancel()
        await self.assertFailure(running, CancelledError)
        self.assertRaises(ProcessLookupError, os.kill, int(marker.read_text()), 0)
