"""Every way to install makes the same program: twistd sees its plugin from anywhere, the pages and the messages are there.

Each install goes into a fresh virtual environment that borrows the packages of the one that runs the tests, so nothing is downloaded; there is
no Node on PATH, because the pages are already made of these sources.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import venv
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

import assets
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("README.md", "LICENSE", "setup.cfg", "pyproject.toml", "contrib/build", "hsadmin", "proto", "twisted", "web")
LEFT = {"__pycache__", "dropin.cache", *(ROOT / "web" / name for name in assets.MADE), ROOT / assets.ASSETS}

LOOK = """
import json, pathlib, hsadmin, hsadmin.console
from hsadmin.headscale.pb import headscale_pb2
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
found = [plugin for plugin in getPlugins(IServiceMaker) if plugin.tapname == "hsadmin"]
pages = pathlib.Path(hsadmin.console.__file__).parent / "assets"
print(json.dumps({
    "home": str(pathlib.Path(hsadmin.__file__).parents[1]),
    "plugins": [plugin.module for plugin in found],
    "pages": sorted(str(path.relative_to(pages)) for path in pages.rglob("*") if path.is_file()),
}))
"""


def copy(place: Path) -> None:
    """A checkout as git would give it, without anything that was built."""

    def left(folder: str, names: Collection[str]) -> set[str]:
        return {name for name in names if name in LEFT or Path(folder, name) in LEFT}

    for part in PARTS:
        (place / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, place / part, ignore=left)
        elif (ROOT / part).exists():
            shutil.copy(ROOT / part, place / part)


class Packaging(SynchronousTestCase):
    PAGES: ClassVar[list[str]] = ["200.html", "_app/immutable/a.js", "connect.html"]

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.tree = self.base / "tree"
        copy(self.tree)
        pages = self.tree / assets.ASSETS
        (pages / "_app/immutable").mkdir(parents=True)
        for name in ("200.html", "connect.html", "_app/immutable/a.js"):
            (pages / name).write_text("made before")
        (pages / assets.STAMP).write_text(assets.digest(self.tree))

    def environment(self, name: str) -> Path:
        """A fresh virtual environment's python."""
        home = self.base / name
        venv.create(home, symlinks=True, with_pip=False)
        python = home / "bin/python"
        site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        return python

    def run_in(self, python: Path, *words: str | Path, folder: Path | None = None, skip: str = "") -> str:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PIP_", "VIRTUAL_ENV"))}
        env |= {
            "PATH": str(python.parent),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": os.devnull,
            assets.SKIP: skip,
        }
        done = subprocess.run(
            [str(python), *map(str, words)], cwd=folder or self.base, env=env, capture_output=True, text=True, check=False, timeout=300
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def install(self, python: Path, *what: str | Path, skip: str = "") -> None:
        self.run_in(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *what, skip=skip)

    def look(self, python: Path) -> tuple[Path, list[str]]:
        """Where hsadmin is, and which pages it has; twistd must see it exactly once."""
        found = json.loads(self.run_in(python, "-c", LOOK))
        self.assertEqual(found["plugins"], ["hsadmin.tap"])
        return Path(found["home"]), [name for name in found["pages"] if name != assets.STAMP]

    def test_plain(self) -> None:
        python = self.environment("plain")
        self.install(python, self.tree)
        home, pages = self.look(python)
        self.assertTrue(home.is_relative_to(python.parents[1]))
        self.assertEqual(pages, self.PAGES)

    def test_editable(self) -> None:
        python = self.environment("editable")
        self.install(python, "--editable", self.tree)
        self.assertEqual(self.look(python), (self.tree, self.PAGES))

    def test_wheel(self) -> None:
        """Nothing of an earlier build travels with it, and nothing that is not the program."""
        python = self.environment("wheel")
        old = self.tree / "build/lib/hsadmin/console/assets/_app/immutable/old.js"
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_text("of an earlier build")
        self.run_in(
            python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", self.base / "wheels", self.tree
        )
        [wheel] = (self.base / "wheels").iterdir()
        names = zipfile.ZipFile(wheel).namelist()
        self.assertEqual({name.partition("/")[0] for name in names if ".dist-info" not in name}, {"hsadmin", "twisted"})
        self.assertEqual([name for name in names if name.startswith("twisted/")], ["twisted/plugins/hsadmin_plugin.py"])
        self.install(python, wheel)
        home, pages = self.look(python)
        self.assertTrue(home.is_relative_to(python.parents[1]))
        self.assertEqual(pages, self.PAGES)

    def test_sdist(self) -> None:
        """It carries the sources and what was made of them, so it installs without Node; the checkout is left as it was."""
        python = self.environment("sdist")
        before = sorted(path.name for path in self.tree.iterdir())
        make = "import sys; sys.path.insert(0, 'contrib/build'); import backend; backend.build_sdist(sys.argv[1])"
        place = self.base / "sdists"
        place.mkdir()
        self.run_in(python, "-c", make, place, folder=self.tree)
        after = {path.name for path in self.tree.iterdir()} - {"hsadmin.egg-info", "build"}
        self.assertEqual(after, set(before) - {"hsadmin.egg-info", "build"})
        [archive] = place.iterdir()
        shutil.unpack_archive(archive, place, filter="data")
        [unpacked] = [path for path in place.iterdir() if path.is_dir()]
        self.assertEqual(assets.digest(unpacked), assets.digest(self.tree))
        self.install(python, archive)
        home, pages = self.look(python)
        self.assertTrue(home.is_relative_to(python.parents[1]))
        self.assertEqual(pages, self.PAGES)

    def test_without_the_console(self) -> None:
        python = self.environment("bare")
        tree = self.base / "bare-tree"
        copy(tree)
        self.install(python, tree, skip="1")
        self.assertEqual(self.look(python)[1], [])
