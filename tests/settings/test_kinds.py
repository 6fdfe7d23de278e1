"""What headscale makes of values, as its own casts do."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.settings import kinds
from hsadmin.settings.kinds import Kind
from hsadmin.settings.scalars import Value

TAKEN: tuple[tuple[Kind, Value, Value, bool], ...] = (
    # kind, written, taken, odd
    (kinds.TEXT, "x", "x", False),
    (kinds.TEXT, 600, "600", False),
    (kinds.TEXT, True, "true", True),
    (kinds.TEXT, ["x"], "", True),
    (kinds.TEXT, None, "", False),
    (kinds.BOOLEAN, True, True, False),
    (kinds.BOOLEAN, "true", True, False),
    (kinds.BOOLEAN, "T", True, False),
    (kinds.BOOLEAN, 1, True, False),
    (kinds.BOOLEAN, "yes", False, True),
    (kinds.BOOLEAN, "on", False, True),
    (kinds.BOOLEAN, [], False, True),
    (kinds.WHOLE, 5, 5, False),
    (kinds.WHOLE, "5", 5, False),
    (kinds.WHOLE, 1.9, 1, True),
    (kinds.WHOLE, "many", 0, True),
    (kinds.WHOLE, True, 1, True),
    (kinds.DURATION, "30m", 1800.0, False),
    (kinds.DURATION, "1h30m", 5400.0, False),
    (kinds.DURATION, "1.5s", 1.5, False),
    (kinds.DURATION, "-2s", -2.0, False),
    (kinds.DURATION, "500ms", 0.5, False),
    (kinds.DURATION, "0", 0.0, False),
    (kinds.DURATION, 0, 0.0, False),
    (kinds.DURATION, 2_000_000_000, 2.0, True),
    (kinds.DURATION, "30", 3e-8, True),
    (kinds.DURATION, "180d", 0.0, True),
    (kinds.DURATION, "soon", 0.0, True),
    (kinds.CALENDAR_DURATION, "180d", "180d", False),
    (kinds.CALENDAR_DURATION, "1y2w3d4h5m6s7ms", "1y2w3d4h5m6s7ms", False),
    (kinds.CALENDAR_DURATION, 0, "0", False),
    (kinds.CALENDAR_DURATION, "", "", False),
    (kinds.CALENDAR_DURATION, "1.5h", "0", True),
    (kinds.CALENDAR_DURATION, 30, "0", True),
    (kinds.TEXTS, ["a", 1], ["a", "1"], False),
    (kinds.TEXTS, "a b", ["a", "b"], False),
    (kinds.TEXTS, None, [], False),
    (kinds.TEXTS, [["a"]], [""], True),
    (kinds.TEXTS, 5, [], True),
    (kinds.SERVERS_BY_DOMAIN, {"a.b": ["c"]}, {"a.b": ["c"]}, False),
    (kinds.SERVERS_BY_DOMAIN, ["c"], {}, True),
    (kinds.RECORDS, [{"Name": "a", "type": "A", "value": "b"}], [{"Name": "a", "type": "A", "value": "b"}], False),
    (kinds.RECORDS, [{"host": "a"}], [{"host": "a"}], True),
    (kinds.one_of("a", "b"), "b", "b", False),
    (kinds.one_of("a", "b"), "c", "c", True),
)


class Kinds(SynchronousTestCase):
    def test_taken(self) -> None:
        for kind, written, value, odd in TAKEN:
            taken = kind.take(written)
            what = f"{kind.allowed}: {written!r}"
            if isinstance(value, float) and isinstance(taken.value, float):
                self.assertAlmostEqual(taken.value, value, msg=what)
            else:
                self.assertEqual((taken.value, type(taken.value)), (value, type(value)), what)
            self.assertEqual(taken.odd, odd, what)
