"""The pauses between starts, as sequences of lives."""

from __future__ import annotations

from hsadmin.engine.backoff import Backoff
from tests.tables import TableCase, table

LONG = 60.0
SHORT = 59.9
NEVER = None

TABLE: tuple[tuple[str, list[float | None], list[float]], ...] = (
    ("a healthy one is restarted at once", [LONG], [0]),
    ("ready for a moment the first time: at once too", [0.1], [0]),
    ("never ready: pauses from the first", [NEVER] * 9, [1, 2, 4, 8, 16, 32, 60, 60, 60]),
    ("healthy, then never again", [LONG, *[NEVER] * 9], [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]),
    ("ready but never for a minute", [SHORT] * 5, [0, 1, 2, 4, 8]),
    ("a minute of health starts over", [SHORT, SHORT, SHORT, LONG, SHORT, NEVER], [0, 1, 2, 0, 1, 2]),
)


class BackoffTests(TableCase):
    @table(*TABLE)
    def test_pauses(self, name: str, lives: list[float | None], expected: list[float]) -> None:
        backoff, pauses = Backoff(), []
        for ready_for in lives:
            backoff = backoff.after(ready_for)
            pauses.append(backoff.pause)
        self.assertEqual(pauses, expected)

    def test_a_crash_loop_is_recognised_and_left(self) -> None:
        backoff, loops = Backoff(), []
        for ready_for in [NEVER, NEVER, NEVER, NEVER, LONG, SHORT, SHORT, SHORT]:
            backoff = backoff.after(ready_for)
            loops.append(backoff.looping)
        self.assertEqual(loops, [False, False, True, True, False, False, False, True])

    def test_ends_without_number_do_not_overflow(self) -> None:
        self.assertEqual(Backoff(10**9).after(NEVER).pause, 60)
