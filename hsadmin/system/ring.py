"""The last lines of something that talks for ever, bounded in number and in size."""

from __future__ import annotations

from collections import deque


class Ring:
    """Keeps the newest lines; the oldest go when either `lines` or `characters` is exceeded. A single larger line is kept cut."""

    def __init__(self, *, lines: int = 200, characters: int = 64 * 1024) -> None:
        self._limit = lines
        self._room = characters
        self._lines: deque[str] = deque()
        self._size = 0

    def append(self, line: str) -> None:
        line = line[: self._room]
        self._lines.append(line)
        self._size += len(line)
        while len(self._lines) > self._limit or self._size > self._room:
            self._size -= len(self._lines.popleft())

    def newest(self, count: int) -> tuple[str, ...]:
        """At most `count` lines, newest last."""
        start = max(0, len(self._lines) - count)
        return tuple(self._lines[index] for index in range(start, len(self._lines)))

    def clear(self) -> None:
        self._lines.clear()
        self._size = 0

    def __len__(self) -> int:
        return len(self._lines)
