"""What the scripts in contrib/ take for granted of the program."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import GoMissing

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"


class ScriptTests(SynchronousTestCase):
    def test_run_knows_the_status_that_asks_for_a_go(self) -> None:
        found = re.search(r"^NO_GO = (\d+)", (CONTRIB / "run").read_text(), re.MULTILINE)
        assert found is not None
        self.assertEqual(int(found.group(1)), GoMissing.exit_status)

    def test_every_command_of_the_readme_can_be_run(self) -> None:
        for name in ("run", "test", "namespace", "../.ci/run"):
            self.assertTrue((CONTRIB / name).stat().st_mode & 0o100, name)
