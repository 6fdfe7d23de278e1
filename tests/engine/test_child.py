"""Chunks become lines whatever their borders, and one end comes after the last of them."""

from __future__ import annotations

import signal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.child import GRACE, LONGEST, Child, Splitter
from hsadmin.engine.exits import Ending
from tests.fakes.processes import FakeProcess, ProcessReactor


def split(*chunks: bytes) -> list[str]:
    said: list[str] = []
    splitter = Splitter(said.append)
    for chunk in chunks:
        splitter.feed(chunk)
    splitter.end()
    return said


class SplitterTests(SynchronousTestCase):
    def test_lines_over_chunk_borders(self) -> None:
        self.assertEqual(split(b"one\ntw", b"o", b"\nthree"), ["one", "two", "three"])

    def test_line_ends_of_others_and_empty_lines(self) -> None:
        self.assertEqual(split(b"a\r\n\n\r\nb\n"), ["a", "b"])

    def test_a_character_over_a_chunk_border(self) -> None:
        self.assertEqual(split("grüße\n".encode()[:3], "grüße\n".encode()[3:]), ["grüße"])

    def test_bytes_that_are_no_text(self) -> None:
        self.assertEqual(split(b"\xff\xfe ok\n"), ["\\xff\\xfe ok"])

    def test_a_huge_line_is_cut_and_never_held(self) -> None:
        said: list[str] = []
        splitter = Splitter(said.append)
        for _ in range(160):
            splitter.feed(b"x" * 65536)
            self.assertLessEqual(len(splitter._held), LONGEST)
        splitter.feed(b"\nnext\n")
        cut = 160 * 65536 - LONGEST
        self.assertEqual(said, ["x" * LONGEST + f" … and {cut} bytes more", "next"])

    @given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
    def test_borders_do_not_matter(self, data: bytes, cuts: list[int]) -> None:
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        self.assertEqual(split(*(data[a:b] for a, b in pairwise(edges))), split(data))


class Observed:
    def __init__(self) -> None:
        self.lines: list[tuple[str, bool]] = []
        self.ends: list[Ending] = []

    def said(self, text: str, faults: bool) -> None:
        self.lines.append((text, faults))

    def ended(self, ending: Ending) -> None:
        self.ends.append(ending)


class ChildTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.observed = Observed()
        self.child = Child(self.reactor, self.observed)
        self.reactor.spawnProcess(self.child, "x")
        self.process: FakeProcess = self.reactor.child

    def test_stdin_is_closed_at_once(self) -> None:
        self.assertFalse(self.process.stdin_open)

    def test_both_pipes_are_told_apart(self) -> None:
        self.process.out(b"a\nhalf")
        self.process.err(b"b\n")
        self.process.out(b" done\n")
        self.assertEqual(self.observed.lines, [("a", False), ("b", True), ("half done", False)])

    def test_the_end_comes_after_the_last_words(self) -> None:
        self.process.exit(3, pipes_stay=True)
        self.assertEqual((self.child.pid, self.observed.ends), (None, []))
        self.process.err(b"panic: x")
        self.process.close_pipes()
        self.assertEqual((self.observed.lines, self.observed.ends), ([("panic: x", True)], [Ending(status=3)]))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_pipes_held_by_a_grandchild_do_not_hold_the_end(self) -> None:
        self.process.out(b"last")
        self.process.exit(killed=signal.SIGKILL, pipes_stay=True)
        self.reactor.advance(GRACE)
        self.assertEqual(self.observed.ends, [Ending(signal=signal.SIGKILL)])
        self.assertTrue(self.process.lost)
        self.process.out(b"from the grandchild\n")
        self.process.close_pipes()
        self.assertEqual((len(self.observed.ends), self.observed.lines), (1, [("last", False)]))

    def test_a_clean_end(self) -> None:
        self.process.exit(0)
        self.assertEqual(self.observed.ends, [Ending(status=0)])

    def test_signals_to_the_dead_are_nothing(self) -> None:
        self.process.exit(0, pipes_stay=True)
        self.child.signal("TERM")
        self.process.close_pipes()
        self.child.signal("KILL")
        self.assertEqual(self.process.signals, [])
