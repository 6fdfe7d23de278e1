"""The previous commit, to be measured beside the present tree."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.product import ROOT

GENERATED = ("hsadmin/headscale/pb", "hsadmin/console/assets")


def git(*arguments: str) -> str:
    """What it says; "" when it refuses, or this is no checkout."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def base() -> str:
    """What the present tree is compared with: its commit when it holds changes to hsadmin that are not committed, else the one before."""
    return "HEAD" if git("status", "--porcelain", "hsadmin") else "HEAD~1"


@contextlib.contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Path | None]:
    """That commit's tree for the time of a `with`, with our generated files where it has none; None when git cannot give it."""
    tree = folder / "previous"
    git("worktree", "add", "--detach", "--quiet", str(tree), revision)
    if not (tree / "hsadmin").is_dir():
        yield None
        return
    try:
        for name in GENERATED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, tree / name, dirs_exist_ok=True)
        yield tree
    finally:
        git("worktree", "remove", "--force", str(tree))
