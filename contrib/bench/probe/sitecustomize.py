"""Lets a benchmark reach into a Python process that it started with this folder on PYTHONPATH and BENCH_PROBE naming a folder.

SIGRTMIN+1   one full garbage collection; its milliseconds are written to BENCH_PROBE/gc.PID
SIGRTMIN+2   50 ms of Python work, as a console could cause it
"""

from __future__ import annotations

import gc
import os
import signal
import time
from pathlib import Path

BUSY = 0.05


def _collect(_number: int, _frame: object) -> None:
    began = time.perf_counter()
    gc.collect()
    took = (time.perf_counter() - began) * 1e3
    draft = _FOLDER / f".gc.{os.getpid()}"
    draft.write_text(f"{took:.3f}")
    draft.replace(_FOLDER / f"gc.{os.getpid()}")


def _work(_number: int, _frame: object) -> None:
    end = time.perf_counter() + BUSY
    while time.perf_counter() < end:
        sum(range(500))


if os.environ.get("BENCH_PROBE"):
    _FOLDER = Path(os.environ["BENCH_PROBE"])
    signal.signal(signal.SIGRTMIN + 1, _collect)
    signal.signal(signal.SIGRTMIN + 2, _work)
