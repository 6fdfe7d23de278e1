"""Who may import whom. The table is the plan of the house; a new room gets a row here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hsadmin"

ROOM = {"interfaces", "model", "errors", "system"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "model": set(),
    "config": {"model", "errors"},
    "settings": {"model", "errors"},
    "interfaces": {"model", "errors"},
    "system": {"model", "errors"},
    "front": ROOM,
    "certificates": ROOM,
    "engine": ROOM,
    "headscale": ROOM,
    "console": ROOM | {"settings"},
    "jobs": ROOM | {"settings"},
}
EXCEPTIONS = {
    ("engine/yamlfile.py", "settings"),
    ("engine/ports.py", "settings"),
    ("front/worker/__main__.py", "certificates"),  # a process of its own, put together there
}
EVERYTHING = {"tap", "application", "preparation", "resolving", "cli"}
PURE = {"errors", "model", "config", "settings", "interfaces"}
PURE_MODULES = {
    "front/head.py",
    "front/body.py",
    "front/allow.py",
    "front/hello.py",
    "front/tally.py",
    "front/terms.py",
    "front/wire.py",
    "engine/versions.py",
    "engine/exits.py",
    "engine/lines.py",
    "system/redact.py",
}
REACTOR_ALLOWED = {"tap.py", "cli"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith("headscale/pb/"):
            yield name, ast.parse(path.read_text(), name)


def imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports, `from a import b` as a.b; everything counts, also inside functions and under TYPE_CHECKING."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str:
    return name.partition("/")[0].removesuffix(".py")


class ImportTests(SynchronousTestCase):
    def test_every_room_keeps_to_its_row(self) -> None:
        wrong = []
        for name, tree in modules():
            room = room_of(name)
            if room in EVERYTHING | {"__init__"}:
                continue
            self.assertIn(room, MAY_IMPORT, f"{name}: a new room needs a row in this table")
            for target in imported(tree):
                words = target.split(".")
                if words[0] != "hsadmin" or len(words) < 2 or words[1] in {room, "__version__"} | MAY_IMPORT[room]:
                    continue
                if (name, words[1]) not in EXCEPTIONS:
                    wrong.append(f"{name} imports {target}")
        self.assertEqual(wrong, [])

    def test_pure_parts_know_no_twisted_and_no_clock(self) -> None:
        wrong = []
        for name, tree in modules():
            if room_of(name) in PURE or name in PURE_MODULES:
                wrong += [
                    f"{name} imports {target}"
                    for target in imported(tree)
                    if target.split(".")[0] in {"twisted", "time", "random", "secrets"}
                ]
        self.assertEqual(wrong, [])

    def test_the_global_reactor_is_imported_at_the_doors_only(self) -> None:
        wrong = [
            name
            for name, tree in modules()
            if "twisted.internet.reactor" in set(imported(tree))
            and not (room_of(name) == "cli" or name in REACTOR_ALLOWED or name.endswith("__main__.py"))
        ]
        self.assertEqual(wrong, [])

    def test_the_table_names_rooms_that_exist(self) -> None:
        rooms = {room_of(name) for name, _ in modules()}
        self.assertEqual(set(MAY_IMPORT) - rooms, set())
