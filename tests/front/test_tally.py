"""Sums over workers that come and go."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.ledger import Ledger
from hsadmin.front.tally import LOST, Tally
from hsadmin.front.wire import Report
from hsadmin.front.worker.journal import LOOKED_AT, MOST_RECORDS, Journal
from hsadmin.model.front import AccessRecord, OpenStream


class Stream:
    def __init__(self, id: int, route: str = "derp") -> None:
        self.id, self.route, self.client, self.since = id, route, "192.0.2.1", float(id)
        self.inward = self.outward = 0

    def record(self) -> AccessRecord:
        return AccessRecord(
            route=self.route,
            method="GET",
            status=101,
            received=self.inward,
            sent=self.outward,
            seconds=1.0,
            peer=self.client,
            tunnel=True,
        )


def opened(id: int, received: int = 0, sent: int = 0, since: float = 1.0) -> OpenStream:
    return OpenStream(id=id, route="derp", peer="192.0.2.1", since=since, received=received, sent=sent)


def report(**values: object) -> Report:
    return Report(**{"number": 1, "counts": {}, "now": {}, **values})  # type: ignore[arg-type]  # msgspec checks them


class TallyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.tally = Tally()
        for worker in (1, 2):
            self.tally.began(worker)

    def test_counters_are_sums_and_figures_of_the_moment_go_with_their_worker(self) -> None:
        self.tally.told(1, report(counts={"a": 1, "b": 2}, now={"open": 3}))
        self.tally.told(2, report(counts={"a": 10}, now={"open": 4}))
        self.assertEqual(self.tally.counters(), {"a": 11, "b": 2, "open": 7})
        self.assertEqual(self.tally.ended(1, 0.0), [])
        self.assertEqual(self.tally.counters(), {"a": 11, "b": 2, "open": 4})

    def test_bytes_of_open_tunnels_count_and_are_not_counted_twice(self) -> None:
        self.tally.told(1, report(opened=[opened(1, 5, 6)]))
        self.tally.told(1, report(moved=[(1, 50, 60), (99, 1, 1)]))
        self.assertEqual(self.tally.counters()["bytes.derp.received"], 50)
        self.assertEqual(self.tally.open_streams()[0].sent, 60)
        self.tally.told(1, report(counts={"bytes.derp.received": 70, "bytes.derp.sent": 80}, closed=[1]))
        self.assertEqual(self.tally.counters(), {"bytes.derp.received": 70, "bytes.derp.sent": 80})
        self.assertEqual(self.tally.open_streams(), [])

    def test_a_lost_worker_s_tunnels_end_with_a_record_each(self) -> None:
        self.tally.told(1, report(counts={"tunnels.opened": 2}, opened=[opened(1, 5, 6, since=90.0), opened(2)]))
        first, second = self.tally.ended(1, 100.0)
        self.assertEqual((first.received, first.sent, first.seconds, first.note, first.tunnel), (5, 6, 10.0, LOST, True))
        counters = self.tally.counters()
        self.assertEqual((counters["tunnels.opened"], counters["tunnels.closed"], counters["requests.derp"]), (2, 2, 2))
        self.assertEqual(counters["bytes.derp.received"], 5)
        self.assertEqual(second.peer, "192.0.2.1")
        self.assertEqual(self.tally.ended(1, 100.0), [])

    def test_streams_are_told_oldest_first(self) -> None:
        self.tally.told(2, report(opened=[opened(20, since=2.0), opened(21, since=4.0)]))
        self.tally.told(1, report(opened=[opened(10, since=1.0), opened(11, since=3.0)]))
        self.assertEqual([stream.id for stream in self.tally.open_streams()], [10, 20, 11, 21])


class JournalTests(SynchronousTestCase):
    def test_nothing_new_is_no_report_unless_asked(self) -> None:
        journal = Journal(first_id=0, access=True)
        self.assertIsNotNone(journal.report(1, {"open": 0}))
        self.assertIsNone(journal.report(2, {"open": 0}))
        self.assertIsNotNone(journal.report(2, {"open": 1}))
        self.assertIsNotNone(journal.report(3, {"open": 1}, always=True))

    def test_a_tunnel_that_came_and_went_between_reports_is_only_counted(self) -> None:
        journal = Journal(first_id=0, access=True)
        stream = Stream(journal.next_id())
        journal.tunnel_opened(stream)
        journal.tunnel_closed(stream, stream.record())
        told = journal.report(1, {})
        assert told is not None
        self.assertEqual((told.opened, told.closed, len(told.records), told.counts["tunnels.opened"]), ([], [], 1, 1))

    def test_records_have_a_bound_and_what_is_over_it_is_counted(self) -> None:
        journal = Journal(first_id=0, access=True)
        for _ in range(MOST_RECORDS + 3):
            journal.record(Stream(1).record())
        told = journal.report(1, {})
        assert told is not None
        self.assertEqual((len(told.records), told.counts["access.lost"]), (MOST_RECORDS, 3))

    def test_without_an_access_log_no_record_is_kept(self) -> None:
        journal = Journal(first_id=0, access=False)
        journal.record(Stream(1).record())
        told = journal.report(1, {})
        assert told is not None
        self.assertEqual((told.records, told.counts["requests.derp"]), ([], 1))

    def test_a_report_looks_at_so_many_tunnels_and_comes_round_to_all(self) -> None:
        journal = Journal(first_id=7 << 32, access=True)
        streams = [Stream(journal.next_id()) for _ in range(3 * LOOKED_AT)]
        for stream in streams:
            journal.tunnel_opened(stream)
        journal.report(1, {})
        for stream in streams:
            stream.inward = 1
        seen: list[int] = []
        while len(seen) < len(streams):
            told = journal.report(2, {})
            assert told is not None
            self.assertLessEqual(len(told.moved), LOOKED_AT)
            seen += [id for id, _, _ in told.moved]
        self.assertEqual(seen, [stream.id for stream in streams])
        self.assertEqual(seen[0], (7 << 32) + 1)


class Workers(RuleBasedStateMachine):
    """Journals of workers that report and die as they like, against one ledger that saw everything they reported."""

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()
        self.journals: dict[int, Journal] = {}
        self.streams: dict[int, list[Stream]] = {}
        self.last: dict[str, int] = {}
        self.number = 0
        for _ in range(2):
            self.born()

    def born(self) -> None:
        self.number += 1
        self.tally.began(self.number)
        self.journals[self.number] = Journal(first_id=self.number << 32, access=True)
        self.streams[self.number] = []

    @rule(which=st.integers(0, 1))
    def opens(self, which: int) -> None:
        worker = sorted(self.journals)[which]
        stream = Stream(self.journals[worker].next_id())
        self.journals[worker].tunnel_opened(stream)
        self.streams[worker].append(stream)

    @rule(which=st.integers(0, 1), at=st.integers(0, 5), count=st.integers(0, 100))
    def carries(self, which: int, at: int, count: int) -> None:
        streams = self.streams[sorted(self.journals)[which]]
        if streams:
            streams[at % len(streams)].inward += count

    @rule(which=st.integers(0, 1), at=st.integers(0, 5))
    def closes(self, which: int, at: int) -> None:
        worker = sorted(self.journals)[which]
        if self.streams[worker]:
            stream = self.streams[worker].pop(at % len(self.streams[worker]))
            self.journals[worker].tunnel_closed(stream, stream.record())

    @rule(which=st.integers(0, 1))
    def reports(self, which: int) -> None:
        worker = sorted(self.journals)[which]
        journal: Ledger = self.journals[worker]
        told = self.journals[worker].report(1, {"tunnels.open": len(self.streams[worker])})
        if told is not None:
            self.tally.told(worker, told)
            mine = {stream.id for stream in self.tally.open_streams() if stream.id >> 32 == worker}
            assert mine == set(journal.streams)

    @rule(which=st.integers(0, 1))
    def dies(self, which: int) -> None:
        worker = sorted(self.journals)[which]
        self.tally.ended(worker, 1e6)
        del self.journals[worker], self.streams[worker]
        self.born()

    @invariant()
    def counters_never_fall_and_add_up(self) -> None:
        now = self.tally.counters()
        for name, value in self.last.items():
            if name != "tunnels.open":
                assert now.get(name, 0) >= value, name
        self.last = now
        assert now.get("tunnels.opened", 0) - now.get("tunnels.closed", 0) == len(self.tally.open_streams())


class DisorderTests(SynchronousTestCase):
    def test_in_any_order_of_events(self) -> None:
        run_state_machine_as_test(Workers, settings=settings(max_examples=80, stateful_step_count=40, deadline=None))
