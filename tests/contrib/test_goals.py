"""How a run is judged against the goals, and against the commit before."""

from __future__ import annotations

from collections.abc import Sequence

from bench.goals import GOALS, Goal, Results, regressions
from bench.report import figure, goal_table, table
from twisted.trial.unittest import SynchronousTestCase

from tests.tables import TableCase
from tests.tables import table as rows

GET = Goal("small GET", "get64", "cpu_us", "µs", {"nginx": 1.2})
MEMORY = Goal("idle", "idle", "kib_per_tunnel", "KiB", {"nginx": 0.35}, at_most=15)
MORE = Goal("burst", "burst", "kib_per_tunnel", "KiB", at_most=0.5, above="idle")
TAIL = Goal("tail", "working", "max_us", "µs", at_most=2.0, times="resting")


def results(*series: tuple[str, str, str, Sequence[float]]) -> Results:
    """(row, front, figure, one value a round)."""
    return Results(
        [{"row": row, "front": front, "round": n, name: value} for row, front, name, values in series for n, value in enumerate(values)]
    )


class Verdicts(TableCase):
    @rows(
        (
            "within",
            GET,
            (("get64", "us", "cpu_us", (10, 12, 11)), ("get64", "nginx", "cpu_us", (10, 10, 10))),
            [("nginx", 1.1, 1.0, 1.2, True)],
        ),
        ("beyond", GET, (("get64", "us", "cpu_us", (13, 13)), ("get64", "nginx", "cpu_us", (10, 10))), [("nginx", 1.3, 1.3, 1.3, False)]),
        ("no reference", GET, (("get64", "us", "cpu_us", (13,)),), []),
        ("not measured", GET, (("get64", "nginx", "cpu_us", (13,)),), []),
        (
            "a ratio and a bound",
            MEMORY,
            (("idle", "us", "kib_per_tunnel", (16,)), ("idle", "nginx", "kib_per_tunnel", (50,))),
            [("nginx", 0.32, 0.32, 0.32, True), ("", 16, 16, 16, False)],
        ),
        (
            "more than another row",
            MORE,
            (("idle", "us", "kib_per_tunnel", (15, 15.5)), ("burst", "us", "kib_per_tunnel", (15.25, 15.75))),
            [("", 0.25, 0.25, 0.25, True)],
        ),
        (
            "times another row",
            TAIL,
            (("resting", "us", "max_us", (10,)), ("working", "us", "max_us", (25,))),
            [("without", 2.5, 2.5, 2.5, False)],
        ),
    )
    def test_judged(
        self, _name: str, goal: Goal, series: Sequence[tuple[str, str, str, Sequence[float]]], expected: Sequence[object]
    ) -> None:
        found = results(*series).judge(goal, "us", 1.0)
        self.assertEqual([(v.against, round(v.measured, 6), round(v.low, 6), round(v.high, 6), v.holds) for v in found], expected)


class Reading(SynchronousTestCase):
    def test_leniency_moves_the_limit(self) -> None:
        found = results(("get64", "us", "cpu_us", (13,)), ("get64", "nginx", "cpu_us", (10,)))
        self.assertTrue(next(iter(found.judge(GET, "us", 1.4))).holds)

    def test_a_round_that_failed_counts_nothing(self) -> None:
        found = Results([{"row": "get64", "front": "us", "round": 0, "cpu_us": 1.0, "error": "cut"}])
        self.assertIsNone(found.median("get64", "us", "cpu_us"))
        self.assertEqual(list(found.errors()), ["us, get64, round 0: cut errors"])

    def test_every_goal_of_a_worker_alone_is_left_out_for_the_main_process(self) -> None:
        self.assertNotIn("front worker", goal_table(results(("get64", "workers 0", "cpu_us", (1,))), "workers 0"))
        self.assertIn("front worker", goal_table(results(("get64", "workers 1", "cpu_us", (1,))), "workers 1"))

    def test_goals_name_each_comparison_once(self) -> None:
        self.assertEqual(len({(goal.row, goal.figure) for goal in GOALS}), len(GOALS))


class Regressions(TableCase):
    @rows(
        ("10 % more CPU is let pass", "get64", "cpu_us", 10, 11, False),
        ("more is marked", "get64", "cpu_us", 10, 11.2, True),
        ("less is not", "get64", "cpu_us", 10, 5, False),
        ("1 KiB more is let pass", "idle", "kib_per_tunnel", 15, 16, False),
        ("more than that is marked", "idle", "kib_per_tunnel", 15, 16.1, True),
    )
    def test_marked(self, _name: str, row: str, figures: str, before: float, now: float, marked: bool) -> None:
        found = list(regressions(results((row, "us", figures, (now,)), (row, "previous", figures, (before,))), "us", "previous"))
        self.assertEqual([(goal.row, mark) for goal, _, _, mark in found], [(row, marked)])

    def test_one_round_that_says_otherwise_unmarks(self) -> None:
        series = [("get64", "us", "cpu_us", (12, 12, 9)), ("get64", "previous", "cpu_us", (10, 10, 10))]
        self.assertEqual([mark for _, _, _, mark in regressions(results(*series), "us", "previous")], [False])


class Drawing(TableCase):
    @rows(("large", 123.4, "123"), ("middle", 12.34, "12.3"), ("small", 1.234, "1.23"), ("none", None, "-"))
    def test_figure(self, _name: str, value: float | None, text: str) -> None:
        self.assertEqual(figure(value), text)

    def test_table_is_aligned(self) -> None:
        self.assertEqual(table(["a", "bc"], [["def", "g"]]).splitlines(), ["| a   | bc |", "|-----|---:|", "| def |  g |"])
