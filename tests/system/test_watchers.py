"""Watchers are told in order, whatever they do."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.system.watchers import Watchers


class WatchersTests(SynchronousTestCase):
    def test_in_order_even_when_one_brings_about_the_next(self) -> None:
        watchers: Watchers[int] = Watchers(Logger())
        first: list[int] = []
        second: list[int] = []

        def go_on(value: int) -> None:
            first.append(value)
            if value < 3:
                watchers.tell(value + 1)

        watchers.add(go_on)
        watchers.add(second.append)
        watchers.tell(1)
        self.assertEqual((first, second), ([1, 2, 3], [1, 2, 3]))

    def test_one_that_raises_is_logged_and_the_others_are_told(self) -> None:
        watchers: Watchers[int] = Watchers(Logger())
        told: list[int] = []
        watchers.add(lambda value: told.append(1 // value))
        watchers.add(told.append)
        watchers.tell(0)
        self.assertEqual(told, [0])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_one_that_left_is_not_told(self) -> None:
        watchers: Watchers[int] = Watchers(Logger())
        told: list[int] = []
        leave = watchers.add(told.append)
        leave()
        leave()
        watchers.tell(1)
        self.assertEqual(told, [])
