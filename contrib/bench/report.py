"""What a run prints: the goal table, the costs side by side, and what changed since the previous commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.goals import GOALS, LENIENCY, Goal, Results, regressions

PRODUCTS = ("workers 1", "workers 0")
LATENCIES = (
    ("get1", "p50_us"),
    ("get64", "p50_us"),
    ("open16", "p50_us"),
    ("open16", "p99_us"),
    ("trips64", "p50_us"),
    ("trips64", "p99_us"),
)


def figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown that is also readable as it is: the first column left, the others right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def drawn(cells: Sequence[str]) -> str:
        return "| " + " | ".join(f"{cell:{'<' if i == 0 else '>'}{widths[i]}}" for i, cell in enumerate(cells)) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":") for i, width in enumerate(widths)) + "|"
    return "\n".join([drawn(lines[0]), rule, *map(drawn, lines[1:])])


def goal_table(results: Results, front: str) -> str:
    leniency = LENIENCY if front == "workers 0" else 1.0
    rows, missing, passed, judged = [], [], 0, 0
    for goal in GOALS:
        if goal.worker and front == "workers 0":
            continue
        verdicts = list(results.judge(goal, front, leniency))
        if not verdicts:
            missing.append(goal.title)
        for verdict in verdicts:
            judged += 1
            passed += verdict.holds
            what = f"x {verdict.against}" if verdict.against else f"{goal.unit} more" if goal.above else goal.unit
            span = f"{figure(verdict.low)}..{figure(verdict.high)}"
            own = f"{figure(verdict.own)} {goal.unit}".strip()
            rows.append(
                [goal.title, f"<= {figure(verdict.limit)} {what}", figure(verdict.measured), span, own, "pass" if verdict.holds else "NO"]
            )
    says = f"Goals, front.{front}" + (f" (each {LENIENCY} times what front.workers 1 is held to)" if leniency > 1 else "")
    left_out = f"\n\nNot measured in this run: {'; '.join(missing)}." if missing else ""
    return f"{says}: {passed} of {judged} hold\n\n" + table(["goal", "limit", "measured", "range", "own figure", ""], rows) + left_out


def costs(results: Results) -> str:
    fronts = [name for name in results.fronts() if name != "previous"]
    rows = [[_label(goal), *(figure(results.median(goal.row, name, goal.figure)) for name in fronts)] for goal in _once(GOALS)]
    rows += [
        [f"{row}, {name}", *(figure(results.median(row, front, name)) for front in fronts)]
        for row, name in LATENCIES
        if any(results.by_round(row, front, name) for front in fronts)
    ]
    rows = [row for row in rows if any(cell != "-" for cell in row[1:])]
    return "Medians\n\n" + table(["", *fronts], rows)


def changes(results: Results, base: str) -> str:
    rows = []
    for goal, now, before, marked in regressions(results, "workers 0", "previous"):
        found = results.ratios(goal.row, "workers 0", "previous", goal.figure)
        span = f"{figure(found[1])}..{figure(found[2])}" if found else ""
        rows.append(
            [
                _label(goal),
                figure(before),
                figure(now),
                f"{(now / before - 1) * 100:+.0f} %" if before else "",
                span,
                "WORSE" if marked else "",
            ]
        )
    return f"Against {base}, front.workers 0\n\n" + table(["", "before", "now", "change", "ratios", ""], rows)


def supervised(results: Results) -> str:
    """What the stand-in for headscale used below hsadmin; it is in no figure of hsadmin's."""
    said = []
    for front in PRODUCTS:
        cpu, memory = results.median("get64", front, "supervised_cpu_s"), results.median("idle", front, "supervised_mib")
        if cpu is not None:
            said.append(f"front.{front}: {figure(cpu)} s CPU in get64, {figure(memory)} MiB with all tunnels idle")
    return "The supervised child, counted apart: " + ("; ".join(said) or "not measured")


def _label(goal: Goal) -> str:
    return f"{goal.title}, {goal.unit}" if goal.unit else goal.title


def _once(goals: Iterable[Goal]) -> Iterable[Goal]:
    seen = set()
    for goal in goals:
        if (goal.row, goal.figure) not in seen:
            seen.add((goal.row, goal.figure))
            yield goal
