"""Tests as tables: one method, and one test per row.

    class Heads(TableCase):
        @table(("two hosts", b"Host: a\\r\\nHost: b\\r\\n", "several-hosts"), ...)
        def test_refused(self, name: str, fields: bytes, rule: str) -> None: ...

The first column of a row names its test, so that a failing row is a failing test with a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

Method = Callable[..., None]


def table(*rows: tuple[Any, ...]) -> Callable[[Method], Method]:
    def keep(method: Method) -> Method:
        method.rows = rows  # type: ignore[attr-defined]
        return method

    return keep


class TableCase(SynchronousTestCase):
    """Turns each row of a `@table` into a test of its own."""

    def __init_subclass__(cls) -> None:
        for name, method in list(vars(cls).items()):
            for number, row in enumerate(getattr(method, "rows", ())):
                test = f"{name}_{re.sub('[^a-z0-9]+', '_', str(row[0]).lower()).strip('_')}"
                setattr(cls, f"{test}_{number}" if hasattr(cls, test) else test, _bound(method, row))
            if hasattr(method, "rows"):
                delattr(cls, name)


def _bound(method: Method, row: tuple[Any, ...]) -> Method:
    def test(self: TableCase) -> None:
        method(self, *row)

    return test
