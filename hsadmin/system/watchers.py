"""Callbacks that are told of values as they come, in order, and that cannot harm whoever tells them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.logger import Logger

T = TypeVar("T")


class Watchers(Generic[T]):
    """A watcher that brings about the next value is told of it after everybody was told of this one; one that raises is logged."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._watchers: list[Callable[[T], None]] = []
        self._news: deque[T] = deque()
        self._telling = False

    def add(self, watcher: Callable[[T], None]) -> Callable[[], None]:
        """The answer ends it, and may be called more than once."""
        self._watchers.append(watcher)

        def remove() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return remove

    def tell(self, value: T) -> None:
        self._news.append(value)
        if self._telling:
            return
        self._telling = True
        try:
            while self._news:
                current = self._news.popleft()
                for watcher in list(self._watchers):
                    with self._log.failuresHandled("A watcher failed"):
                        watcher(current)
        finally:
            self._telling = False
