"""hsadmin/headscale/pb is made when, and only when, what it is made from changed."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Protos(SynchronousTestCase):
    def setUp(self) -> None:
        self.protos = load(ROOT / "contrib/build/protos.py")
        self.root = Path(self.mktemp())
        (self.root / "proto").mkdir(parents=True)
        self.source = self.root / "proto/headscale.proto"
        shutil.copy(ROOT / "proto/headscale.proto", self.source)
        self.made = self.root / "hsadmin/headscale/pb"

    def compiled(self) -> dict[str, tuple[bytes, int]]:
        """Compiles; then what there is, and when it was made."""
        self.protos.compile_protos(self.root)
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in self.made.iterdir()}

    def test_what_is_made(self) -> None:
        self.assertEqual(set(self.compiled()), {"__init__.py", "headscale_pb2.py", "headscale_pb2.pyi", "source.sha256"})
        self.assertEqual([path.name for path in self.made.parent.iterdir()], ["pb"])

    def test_it_imports_nothing_of_ours(self) -> None:
        """So it works inside any package; protoc's imports are absolute."""
        imports = [line for line in self.compiled()["headscale_pb2.py"][0].decode().splitlines() if line.startswith(("import ", "from "))]
        self.assertTrue(imports and all(line.startswith("from google.protobuf") for line in imports), imports)

    def test_it_is_what_runs_here(self) -> None:
        """A tree whose .proto changed since its last build is found out."""
        self.assertEqual(self.compiled()["headscale_pb2.py"][0], (ROOT / "hsadmin/headscale/pb/headscale_pb2.py").read_bytes())

    def test_made_once(self) -> None:
        self.assertEqual(self.compiled(), self.compiled())

    def test_made_anew_when_the_source_changed(self) -> None:
        before = self.compiled()
        self.source.write_text(self.source.read_text().replace("string email = 5", "string mail = 5"))
        after = self.compiled()
        self.assertNotEqual(before["headscale_pb2.py"][0], after["headscale_pb2.py"][0])
        self.assertIn(b"mail: str", after["headscale_pb2.pyi"][0])

    def test_made_anew_when_part_of_it_is_missing(self) -> None:
        before = self.compiled()
        for name in before:
            (self.made / name).unlink()
            self.assertEqual(set(self.compiled()), set(before), name)

    def test_a_source_that_does_not_compile_leaves_what_there_was(self) -> None:
        before = self.compiled()
        self.source.write_text("syntax error")
        self.assertRaises(RuntimeError, self.protos.compile_protos, self.root)
        self.assertEqual({path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in self.made.iterdir()}, before)
        self.assertEqual([path.name for path in self.made.parent.iterdir()], ["pb"])
