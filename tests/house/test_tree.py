"""The shape of the tree: module lengths, mirrored tests, what stands at the top, and what may not be mentioned."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 400
TOP = {".ci", ".gitignore", "LICENSE", "README.md", "contrib", "hsadmin", "proto", "pyproject.toml", "setup.cfg", "tests", "twisted", "web"}
ROOMS = ("certificates", "config", "console", "engine", "front", "headscale", "settings", "system", "jobs", "cli")

# Modules that are only met through others, and the tests that reach them.
MET_THROUGH = {
    "hsadmin/cli/headscale.py": "tests/cli/test_engine.py",
    "hsadmin/cli/keys.py": "tests/cli/test_remote.py",
    "hsadmin/cli/probe.py": "tests/cli/test_check.py",
    "hsadmin/cli/status.py": "tests/cli/test_remote.py",
    "hsadmin/cli/users.py": "tests/cli/test_remote.py",
    "hsadmin/console/api/connect.py": "tests/console/api/test_calls.py",
    "hsadmin/console/api/health.py": "tests/console/api/test_calls.py",
    "hsadmin/console/api/status.py": "tests/console/api/test_calls.py",
    "hsadmin/console/problem.py": "tests/console/test_app.py",
    "hsadmin/console/reply.py": "tests/console/test_app.py",
    "hsadmin/front/doors.py": "tests/front/test_service.py",
    "hsadmin/front/exchange.py": "tests/front/test_connection.py",
    "hsadmin/front/house.py": "tests/front/test_service.py",
    "hsadmin/front/ledger.py": "tests/front/test_service.py",
}


def tracked() -> list[str]:
    """Files that git tracks, or would with the next commit; everything below the folder where this is no checkout."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    return [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file()]


class TreeTests(SynchronousTestCase):
    def test_modules_hold_one_idea(self) -> None:
        long = {
            name: lines for name in tracked() if name.endswith(".py") and (lines := len((ROOT / name).read_text().splitlines())) > LONGEST
        }
        self.assertEqual(long, {})

    def test_every_module_is_met_by_the_tests_of_its_room(self) -> None:
        """By a test module of its name, or by name in one of its room's; what has no code of its own (tables, values) is met by the latter."""
        untested = []
        for name in tracked():
            path = Path(name)
            if (
                path.parts[0] != "hsadmin"
                or path.suffix != ".py"
                or len(path.parts) < 3
                or path.parts[1] not in ROOMS
                or path.stem[0] == "_"
                or (ROOT / MET_THROUGH.get(name, "nowhere")).exists()
            ):
                continue
            room = ROOT / "tests" / path.parts[1]
            if not any(room.rglob(f"test_{path.stem}.py")):
                dotted = ".".join(path.with_suffix("").parts)
                met = re.compile(rf"\b{re.escape(dotted)}\b|from {re.escape(dotted.rpartition('.')[0])} import .*\b{path.stem}\b")
                if not any(met.search(test.read_text()) for test in room.rglob("*.py")):
                    untested.append(name)
        self.assertEqual(untested, [])

    def test_the_top_level_is_the_plan_s(self) -> None:
        self.assertEqual({name.split("/")[0] for name in tracked()} - TOP, set())

    def test_no_machine_is_mentioned(self) -> None:
        """Absolute paths of a machine, registry hosts, and addresses in lock files have no place in the project."""
        forbidden = re.compile(r"/(?:work|root|home)/[a-z]+/|registry\.npmjs\.org|pypi\.org/simple|proxy\.golang\.org|\"resolved\": \"http")
        found = []
        for name in tracked():
            if name == "tests/house/test_tree.py" or name.endswith((".png", ".svg", ".ico")):
                continue
            for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), 1):
                if forbidden.search(line):
                    found.append(f"{name}:{number}: {line.strip()[:80]}")
        self.assertEqual(found, [])
