"""A ring holds the newest lines, never more than it was given room for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.system.ring import Ring


class RingTests(SynchronousTestCase):
    def test_the_oldest_lines_go_first(self) -> None:
        ring = Ring(lines=3)
        for number in range(10):
            ring.append(str(number))
        self.assertEqual(ring.newest(10), ("7", "8", "9"))

    def test_newest_last_and_no_more_than_asked(self) -> None:
        ring = Ring()
        for line in "abc":
            ring.append(line)
        self.assertEqual((ring.newest(2), ring.newest(0), ring.newest(9)), (("b", "c"), (), ("a", "b", "c")))

    def test_the_size_is_bounded_whatever_the_lines(self) -> None:
        ring = Ring(lines=100, characters=1000)
        for length in (10, 999, 400, 700, 1):
            ring.append("x" * length)
            self.assertLessEqual(sum(map(len, ring.newest(100))), 1000)
        self.assertEqual([len(line) for line in ring.newest(100)], [700, 1])

    def test_a_line_beyond_all_room_is_cut(self) -> None:
        ring = Ring(characters=10)
        ring.append("y" * 50)
        self.assertEqual(ring.newest(1), ("y" * 10,))
        self.assertEqual(len(ring), 1)

    def test_clear(self) -> None:
        ring = Ring(characters=10)
        ring.append("y" * 10)
        ring.clear()
        ring.append("z" * 10)
        self.assertEqual(ring.newest(5), ("z" * 10,))
