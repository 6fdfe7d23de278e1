"""When the console is built, by which commands, and what is said when it cannot be; with a node and an npm that only take notes."""

from __future__ import annotations

import os
from pathlib import Path

import assets
import backend
from assets import Failed, build, digest, new_enough, sources, stale
from setuptools import build_meta

from tests.tables import TableCase, table

NODE = """#!/bin/sh
PATH=/usr/bin:/bin
if [ "$1" = --version ]; then echo v{version}; exit; fi
echo "node $*" >> {log}
{vite}
"""
VITE = "rm -rf build; mkdir -p build/_app; echo page > build/200.html; echo code > build/_app/a.js"
NPM = """#!/bin/sh
PATH=/usr/bin:/bin
echo "npm $*" >> {log}
{ci}
"""
CI = "mkdir -p node_modules"
RAN_CI = "npm ci --ignore-scripts --no-audit --no-fund"
RAN_VITE = "node node_modules/vite/bin/vite.js build"


class BuildCase(TableCase):
    """A small checkout at `root`, and its machine: `environment` has a PATH with nothing but our two programs."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.root = self.base / "checkout"
        self.log = self.base / "log"
        for name, content in {
            "web/package.json": "{}",
            "web/package-lock.json": "{}",
            "web/src/routes/[id]/+page.svelte": "<h1>one</h1>",
            "hsadmin/__init__.py": '__version__ = "1.2.3"\n',
            "hsadmin/console/__init__.py": "",
        }.items():
            self.write(name, content)
        self.environment = {"PATH": str(self.base / "bin")}
        self.machine()
        self.patch(assets, "_packaged_node", lambda: None)

    def write(self, name: str, content: str) -> Path:
        place = self.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        return place

    def machine(self, version: str = "20.19.0", vite: str = VITE, ci: str = CI) -> None:
        folder = self.base / "bin"
        folder.mkdir(exist_ok=True)
        for name, script in {"node": NODE, "npm": NPM}.items():
            (folder / name).write_text(script.format(log=self.log, version=version, vite=vite, ci=ci))
            (folder / name).chmod(0o755)

    def ran(self) -> list[str]:
        """The commands since last asked."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines

    @property
    def assets(self) -> Path:
        return self.root / "hsadmin/console/assets"


class Digests(BuildCase):
    @table(
        ("another content", "web/src/routes/[id]/+page.svelte", "<h1>two</h1>"),
        ("a new file", "web/static/robots.txt", ""),
        ("a hidden file", "web/.npmrc", "engine-strict=true"),
        ("another version of the daemon", "hsadmin/__init__.py", '__version__ = "1.2.4"\n'),
        ("a source folder called build", "web/src/build/x.ts", ""),
    )
    def test_differs(self, _: str, name: str, content: str) -> None:
        before = digest(self.root)
        self.write(name, content)
        self.assertNotEqual(digest(self.root), before)

    @table(
        ("installed packages", "web/node_modules/svelte/index.js"),
        ("what kit generates", "web/.svelte-kit/tsconfig.json"),
        ("what vite writes", "web/build/200.html"),
        ("what Playwright leaves", "web/test-results/a.png"),
        ("another part of hsadmin", "hsadmin/front.py"),
    )
    def test_same(self, _: str, name: str) -> None:
        before = digest(self.root)
        self.write(name, "x")
        self.assertEqual(digest(self.root), before)

    def test_a_renamed_file_is_another_source(self) -> None:
        before = digest(self.root)
        (self.root / "web/package-lock.json").rename(self.root / "web/package-lock.yaml")
        self.assertNotEqual(digest(self.root), before)

    def test_times_do_not_matter(self) -> None:
        before = digest(self.root)
        for path in sources(self.root):
            os.utime(path, (1, 1))
        self.assertEqual(digest(self.root), before)


class Builds(BuildCase):
    def test_first_installs_then_builds_then_is_fresh(self) -> None:
        self.assertTrue(build(self.root, self.environment))
        self.assertEqual(self.ran(), [RAN_CI, RAN_VITE])
        self.assertEqual((self.assets / "200.html").read_text(), "page\n")
        self.assertEqual((self.assets / "_app/a.js").read_text(), "code\n")
        self.assertFalse(stale(self.root, self.environment))
        self.assertFalse(build(self.root, self.environment))
        self.assertEqual(self.ran(), [])

    def test_a_changed_source_is_built_with_the_packages_that_are_there(self) -> None:
        build(self.root, self.environment)
        self.ran()
        self.write("web/src/app.css", "")
        self.assertTrue(build(self.root, self.environment))
        self.assertEqual(self.ran(), [RAN_VITE])

    def test_a_changed_lock_installs_anew(self) -> None:
        build(self.root, self.environment)
        self.ran()
        self.write("web/package-lock.json", '{"lockfileVersion": 3}')
        self.assertTrue(build(self.root, self.environment))
        self.assertEqual(self.ran(), [RAN_CI, RAN_VITE])

    def test_files_of_an_earlier_build_go(self) -> None:
        build(self.root, self.environment)
        (self.assets / "_app/old.js").write_text("old")
        self.write("web/src/app.css", "")
        build(self.root, self.environment)
        self.assertEqual(sorted(path.name for path in self.assets.rglob("*")), [".source.sha256", "200.html", "_app", "a.js"])
        self.assertEqual(sorted(path.name for path in self.assets.parent.iterdir()), ["__init__.py", "assets"])

    def test_assets_that_came_along_need_no_node(self) -> None:
        self.write("hsadmin/console/assets/200.html", "page")
        self.write(f"hsadmin/console/assets/{assets.STAMP}", digest(self.root) + "\n")
        self.assertFalse(build(self.root, {"PATH": ""}))

    def test_without_sources_there_is_nothing_to_build(self) -> None:
        (self.root / "web/package.json").unlink()
        self.assertFalse(build(self.root, {"PATH": ""}))

    @table(("one", "1", False), ("yes", "yes", False), ("zero", "0", True), ("empty", "", True))
    def test_skip(self, _: str, value: str, built: bool) -> None:
        self.assertEqual(build(self.root, {**self.environment, assets.SKIP: value}), built)
        self.assertEqual(self.assets.exists(), built)


class Sentences(BuildCase):
    @table(
        ("no packages", {"ci": "exit 7"}, "The console was not built: npm ci ended with status 7, its words are above;"),
        ("no build", {"vite": "exit 3"}, "The console was not built: vite build ended with status 3, its words are above;"),
        ("nothing made", {"vite": ":"}, "The console was not built: vite build left no "),
        ("sources that move", {"vite": f"{VITE}; echo x >> package.json"}, "The console was not built: files of web/ changed meanwhile;"),
        ("an old Node", {"version": "18.20.4"}, "The console needs Node 20.19 or newer to be built, and there is none;"),
        ("an odd Node", {"version": "next"}, "The console needs Node 20.19 or newer to be built, and there is none;"),
    )
    def test_said(self, _: str, machine: dict[str, str], sentence: str) -> None:
        self.write("hsadmin/console/assets/200.html", "before")
        self.machine(**machine)
        said = str(self.assertRaises(Failed, build, self.root, self.environment))
        self.assertTrue(said.startswith(sentence), said)
        self.assertNotIn("\n", said)
        self.assertEqual((self.assets / "200.html").read_text(), "before")
        self.assertTrue(stale(self.root, self.environment))

    def test_a_build_tool_is_told_the_sentence_alone(self) -> None:
        self.machine(ci="exit 7")
        self.patch(backend, "ROOT", self.root)
        self.patch(os, "environ", self.environment)
        self.patch(assets.build, "__defaults__", (self.environment,))
        ended = self.assertRaises(SystemExit, backend._make)
        self.assertTrue(str(ended).startswith("The console was not built: npm ci ended with status 7"))


class Nodes(BuildCase):
    @table(
        ("18", (18, 20, 4), False),
        ("20.18", (20, 18, 3), False),
        ("20.19", (20, 19, 0), True),
        ("20.20", (20, 20, 2), True),
        ("21", (21, 7, 3), False),
        ("22.11", (22, 11, 0), False),
        ("22.12", (22, 12, 0), True),
        ("24", (24, 19, 0), True),
        ("unknown", (), False),
    )
    def test_new_enough(self, _: str, version: tuple[int, ...], good: bool) -> None:
        self.assertEqual(new_enough(version), good)

    def requires(self) -> list[list[str]]:
        self.patch(backend, "ROOT", self.root)
        for function in (assets.stale, assets.find_node):
            self.patch(function, "__defaults__", (self.environment,))
        for name in ("wheel", "sdist", "editable"):
            self.patch(build_meta, f"get_requires_for_build_{name}", lambda _settings: [])
        ask = (backend.get_requires_for_build_wheel, backend.get_requires_for_build_sdist, backend.get_requires_for_build_editable)
        return [hook() for hook in ask]

    def test_a_machine_with_node_is_asked_for_none(self) -> None:
        self.assertEqual(self.requires(), [[], [], []])

    def test_a_machine_without_gets_one_for_the_build_alone(self) -> None:
        self.machine(version="18.0.0")
        self.assertEqual(self.requires(), [[assets.NODE_PACKAGE]] * 3)

    def test_what_is_fresh_needs_none(self) -> None:
        build(self.root, self.environment)
        self.machine(version="18.0.0")
        self.assertEqual(self.requires(), [[], [], []])

    def test_node_without_npm_is_none(self) -> None:
        (self.base / "bin/npm").unlink()
        self.assertIs(assets.find_node(self.environment), None)
