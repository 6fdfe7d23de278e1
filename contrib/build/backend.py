"""How hsadmin is built: setuptools, after what must be made first — the console's pages and the messages of headscale's gRPC service.

Both are made before any kind of build (wheel, sdist, editable), only when their sources changed, and never tracked. An sdist carries them, so
installing from one needs no Node.

As a program: `backend.py assets` builds the pages now; `backend.py node` brings Node and web/node_modules, and prints as JSON where they are.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import assets
from protos import compile_protos
from setuptools import build_meta

ROOT = Path(__file__).resolve().parents[2]
Settings = dict[str, Any] | None

# What setuptools would not find by itself; written as MANIFEST.in for the time of an sdist, so that the top level stays free of it.
MANIFEST = "\n".join(
    [
        "include README.md LICENSE",
        "graft contrib/build",
        "graft proto",
        "graft web",
        *(f"prune web/{name}" for name in sorted(assets.MADE)),
        f"graft {assets.ASSETS}",
        "graft hsadmin/headscale/pb",
        "graft twisted/plugins",
        "global-exclude *.py[co] dropin.cache",
        "",
    ]
)

prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_node()]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    return [*build_meta.get_requires_for_build_editable(config_settings), *_node()]


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    return [*build_meta.get_requires_for_build_sdist(config_settings), *_node()]


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    _make()
    # setuptools copies into build/lib and never removes: pages of an earlier build would travel with this one.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    return str(build_meta.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    _make()
    return str(build_meta.build_editable(wheel_directory, config_settings, metadata_directory))


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    _make()
    with _manifest():
        return str(build_meta.build_sdist(sdist_directory, config_settings))


def _node() -> list[str]:
    """Only a console that must be built, and only a machine without a Node that can, needs one brought along."""
    return [assets.NODE_PACKAGE] if assets.stale(ROOT) and assets.find_node() is None else []


def _make() -> None:
    _or_sentence(lambda: assets.build(ROOT))
    _or_sentence(lambda: compile_protos(ROOT))


def _or_sentence(step: Callable[[], object]) -> None:
    """A build tool shows what a hook raises as a traceback; of SystemExit it shows the text alone."""
    try:
        step()
    except (assets.Failed, RuntimeError) as problem:
        raise SystemExit(str(problem)) from None


@contextmanager
def _manifest() -> Iterator[None]:
    place = ROOT / "MANIFEST.in"
    place.write_text(MANIFEST)
    try:
        yield
    finally:
        place.unlink(missing_ok=True)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["assets"]:
            built = assets.build(ROOT)
            print("The console was built." if built else "The console is as its sources say.")
        case ["node"]:
            node = assets.find_node()
            if node is None:
                command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", assets.NODE_PACKAGE]
                if subprocess.run(command, stdout=sys.stderr, check=False).returncode == 0:
                    importlib.invalidate_caches()
                    node = assets.find_node()
            if node is None:
                raise assets.Failed(f"There is no Node 20.19 or newer, and {assets.NODE_PACKAGE} could not be installed.")
            assets.install_modules(ROOT, node)
            print(json.dumps({"node": str(node.program), "npm": list(node.npm)}))
        case _:
            raise SystemExit("usage: backend.py assets | node")


if __name__ == "__main__":
    os.chdir(ROOT)
    _or_sentence(lambda: main(sys.argv[1:]))
