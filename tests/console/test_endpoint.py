"""The table of calls: what must be true of every row, and which rows cannot even be written."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.console import api
from hsadmin.console.api import CALLS, LOCAL_CALLS
from hsadmin.console.endpoint import Endpoint, Guard, endpoint
from hsadmin.console.neighbours import Neighbours


class Loose(msgspec.Struct, frozen=True):
    name: str


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


class Table(SynchronousTestCase):
    def test_every_call_says_who_may_make_it_and_what_it_is(self) -> None:
        for call in (*CALLS, *LOCAL_CALLS):
            with self.subTest(call.name):
                self.assertIsInstance(call.guard, Guard)
                self.assertRegex(call.summary, r"^[A-Z].*[^.]$")
                self.assertRegex(call.name, r"^[a-z-]+(\.[a-z-]+)+$")

    def test_no_call_is_left_out(self) -> None:
        written = {
            value.name
            for module in pkgutil.iter_modules(api.__path__)
            for value in vars(importlib.import_module(f"{api.__name__}.{module.name}")).values()
            if isinstance(value, Endpoint)
        }
        self.assertEqual({call.name for call in (*CALLS, *LOCAL_CALLS)}, written)

    def test_what_is_public_is_below_the_public_path_and_nothing_else_is(self) -> None:
        """The front lets that prefix through even where the console is shut."""
        for call in CALLS:
            with self.subTest(call.name):
                self.assertEqual(call.guard is Guard.PUBLIC, call.path.startswith("/admin/api/public/"))

    def test_each_socket_has_its_own(self) -> None:
        self.assertNotIn(Guard.LOCAL, {call.guard for call in CALLS})
        self.assertEqual({call.guard for call in LOCAL_CALLS}, {Guard.LOCAL})
        for call in CALLS:
            self.assertTrue(call.path.startswith("/admin/api/"), call.path)


class Rows(SynchronousTestCase):
    def row(self, handler: Callable[..., Awaitable[Any]], method: str = "POST", path: str = "/x") -> Endpoint:
        return endpoint(method, path, name="x.y", guard=Guard.OPEN, summary="X")(handler)

    def test_types_come_from_the_signature(self) -> None:
        async def handler(near: Neighbours, id: int, wish: Strict) -> list[int]:
            return []

        row = self.row(handler, path="/x/{id}")
        self.assertEqual((row.parameters, row.argument, row.input, row.output), ({"id": int}, "wish", Strict, list[int]))

    def test_rows_that_cannot_be(self) -> None:
        async def loose(near: Neighbours, wish: Loose) -> None: ...
        async def plain(near: Neighbours, wish: dict[str, str]) -> None: ...
        async def two(near: Neighbours, one: Strict, other: Strict) -> None: ...
        async def stranger(request: Strict) -> None: ...
        async def strict(near: Neighbours, wish: Strict) -> None: ...
        async def raw(near: Neighbours) -> bytes:
            return b""

        for why, handler, method in (
            ("unknown fields would pass", loose, "POST"),
            ("not a struct", plain, "POST"),
            ("two bodies", two, "POST"),
            ("no neighbours", stranger, "POST"),
            ("a body on GET", strict, "GET"),
            ("a method nobody serves", strict, "BREW"),
            ("bytes as JSON", raw, "GET"),
        ):
            with self.subTest(why):
                self.assertRaises(TypeError, self.row, handler, method)
