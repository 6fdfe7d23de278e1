"""Which hsadmin a command means."""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.cli.context import Context
from hsadmin.errors import ConfigProblem

YAML = "work_dir: {}\nserver:\n  public_url: http://127.0.0.1:8099\n  listen: tcp:8099:interface=127.0.0.1\ntls: {{mode: off}}\n"


class Which(SynchronousTestCase):
    def setUp(self) -> None:
        self.cwd = Path(tempfile.mkdtemp(prefix="hs"))
        self.addCleanup(rmtree, self.cwd)
        self.in_service = self.cwd / "etc.yaml"

    def work_dir(self, **given: str | None) -> Path:
        arguments = argparse.Namespace(**{"config": None, "work_dir": None, "json": False, **given})
        context = Context(arguments=arguments, environ={}, cwd=self.cwd, out=io.StringIO(), err=io.StringIO(), in_service=self.in_service)
        return context.config().work_dir

    def test_the_nearest_word_counts(self) -> None:
        self.assertIn("--work-dir", self.assertRaises(ConfigProblem, self.work_dir).sentence)
        (self.cwd / "trial").mkdir()
        self.assertEqual(self.work_dir(), self.cwd / "trial")
        self.in_service.write_text(YAML.format("/srv/a"))
        self.assertEqual(self.work_dir(), Path("/srv/a"))
        self.assertEqual(self.work_dir(work_dir="b"), self.cwd / "b")
        (self.cwd / "mine.yaml").write_text(YAML.format("/srv/c"))
        self.assertEqual(self.work_dir(config="mine.yaml"), Path("/srv/c"))
        self.assertEqual(self.work_dir(config="mine.yaml", work_dir="d"), self.cwd / "d")
