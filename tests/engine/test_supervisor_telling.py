"""What is told of headscale, and to whom: its lines, redacted but for listeners, and every change of its state."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from hsadmin.engine.supervisor import SHOWN_LINES
from hsadmin.model.engine import EngineState, Phase
from tests.engine.supervised import LAST_LINE, SupervisedCase


class LineTests(SupervisedCase):
    def test_secrets_reach_neither_ring_nor_log_but_listeners(self) -> None:
        heard: list[str] = []
        leave = self.supervisor.listen(lambda line: heard.append(line.message))
        child = self.start()
        child.out(b'{"level":"info","message":"starting node registration using auth id: hskey-authreq-abcdefghijklmnop"}\n')
        self.assertIn("hskey-authreq-abcdefghijklmnop", heard[-1])
        self.assertIn("hskey-authreq-abcd…", self.state.last_lines[-1])
        self.assertNotIn("abcdefgh", f"{self.state.last_lines} {self.texts}")
        leave()
        child.out(b"more\n")
        self.assertNotIn("more", heard)

    def test_our_own_health_checks_are_no_news(self) -> None:
        child = self.start()
        before = self.state.last_lines
        child.out(b'{"level":"info","message":"http request","method":"GET","path":"/health","status":200}\n')
        self.assertEqual(self.state.last_lines, before)
        child.out(b'{"level":"info","message":"http request","method":"GET","path":"/key","status":200}\n')
        self.assertIn("/key", self.state.last_lines[-1])

    def test_the_last_lines_are_bounded_and_survive_the_end(self) -> None:
        child = self.start()
        child.err(b"".join(b"line %d\n" % number for number in range(1000)))
        child.exit(1)
        self.assertEqual(self.state.last_lines, tuple(f"line {number}" for number in range(1000 - SHOWN_LINES, 1000)))

    def test_a_panic_is_named_though_its_trace_is_long(self) -> None:
        child = self.start()
        child.err(b"panic: assignment to entry in nil map\n\ngoroutine 1 [running]:\n" + b"\t/src/x.go:1 +0x1d\n" * 2000)
        child.exit(2)
        self.assertEqual(self.state.code, "engine.panic")
        self.assertIn("assignment to entry in nil map", self.state.reason)

    def test_binary_and_a_line_of_ten_megabytes(self) -> None:
        child = self.start()
        child.out(b"\x00\xff\x1b[31m\n")
        for _ in range(160):
            child.out(b"x" * 65536)
        child.out(b"\n")
        self.assertTrue(all(line.isprintable() for line in self.state.last_lines))
        self.assertIn("bytes more", self.state.last_lines[-1])
        self.assertEqual(self.phase, Phase.READY)


class WatchTests(SupervisedCase):
    def test_every_change_in_order_until_left(self) -> None:
        told: list[Phase] = []
        leave = self.supervisor.watch(lambda state: told.append(state.phase))
        self.start().exit(1)
        leave()
        self.run_for(5)
        self.assertEqual(told, [Phase.PREPARING, Phase.STARTING, Phase.READY, Phase.BACKING_OFF])

    def test_a_watcher_that_raises_stops_nothing(self) -> None:
        def broken(_state: EngineState) -> None:
            raise ZeroDivisionError

        self.supervisor.watch(broken)
        self.start()

    def test_a_watcher_may_ask_for_the_next_change(self) -> None:
        asked: list[Deferred[None]] = []

        def once(state: EngineState) -> None:
            if state.phase is Phase.READY and not asked:
                asked.append(Deferred.fromCoroutine(self.supervisor.restart()))

        self.supervisor.watch(once)
        self.supervisor.startService()
        self.child.out(LAST_LINE)
        self.run_for(0.3)
        self.assertEqual(self.child.names, ["TERM"])
        self.child.exit(0)
        self.successResultOf(asked[0])
        self.settle()
        phases = [state.phase for state in self.states]
        self.assertEqual(phases[2:5], [Phase.READY, Phase.STOPPING, Phase.STOPPED])
