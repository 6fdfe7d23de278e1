"""What contrib/run makes of its options: fetch and daemon must mean the same hsadmin."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"


def bootstrap() -> Any:
    spec = importlib.util.spec_from_file_location("bootstrap", CONTRIB / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PlanTests(SynchronousTestCase):
    def test_each_way_to_ask(self) -> None:
        plan = bootstrap().plan
        for given, where, options in (
            ([], ["--work-dir", "./trial"], ["--trial", "--work-dir", "./trial"]),
            (["--trial"], ["--work-dir", "./trial"], ["--work-dir", "./trial", "--trial"]),
            (["--listen", "tcp:9000"], ["--work-dir", "./trial"], ["--trial", "--work-dir", "./trial", "--listen", "tcp:9000"]),
            (["--work-dir", "w"], ["--work-dir", "w"], ["--trial", "--work-dir", "w"]),
            (["-w", "w"], ["--work-dir", "w"], ["--trial", "-w", "w"]),
            (["--work-dir=w"], ["--work-dir", "w"], ["--trial", "--work-dir=w"]),
            (["--config", "c"], ["--config", "c"], ["--config", "c"]),
            (["-c", "c"], ["--config", "c"], ["-c", "c"]),
            (["--conf", "c"], ["--config", "c"], ["--conf", "c"]),
            (["--config=c", "-w", "w"], ["--config", "c", "--work-dir", "w"], ["--config=c", "-w", "w"]),
        ):
            self.assertEqual(tuple(plan(given)), (where, options, False), given)

    def test_help_and_version_run_nothing(self) -> None:
        for word in ("--help", "--version"):
            self.assertEqual(tuple(bootstrap().plan([word])), ([], [word], True))
