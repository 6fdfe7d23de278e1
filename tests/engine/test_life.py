"""One child from spawn to end: when it may be signalled, how long it was ready, and which of its words explain its end."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.launch import Launch
from hsadmin.engine.life import SETTLING, Life
from hsadmin.model.engine import Trust
from tests.fakes.processes import FakeProcess, ProcessReactor

LAST_LINE = b'{"level":"info","message":"metrics server disabled (metrics_listen_addr is empty)"}\n'


class LifeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.told: list[str] = []
        self.healthy = False
        self.life = Life(
            self.reactor,
            Launch(
                binary=Path(sys.executable),
                arguments=("serve",),
                environment={},
                version="0.29.3",
                trust=Trust.PINNED,
                socket_path=Path("/w/h.sock"),
                health="http://127.0.0.1:1/health",
            ),
            checks=[self.check],
            limit=120.0,
            heard=lambda _line, shown: self.told.append(shown),
            ready=lambda: self.told.append("ready"),
            unwell=lambda: self.told.append("unwell"),
            well=lambda: self.told.append("well"),
            failing=lambda: self.told.append("failing"),
            ended=lambda: self.told.append("ended"),
        )
        self.life.spawn()
        self.life.attend()

    async def check(self) -> bool:
        return self.healthy

    @property
    def child(self) -> FakeProcess:
        return self.reactor.child

    def run_for(self, seconds: float) -> None:
        self.reactor.pump([0.05] * round(seconds / 0.05))

    def end(self, patience: float = 20.0) -> Deferred[None]:
        return Deferred.fromCoroutine(self.life.end(patience))

    def sentence(self) -> str:
        assert self.life.explanation is not None
        return self.life.explanation.sentence

    def test_from_ready_to_end(self) -> None:
        self.healthy = True
        self.run_for(30)
        self.child.exit(2)
        assert self.life.ready_for is not None
        self.assertLess(abs(self.life.ready_for - 30), 0.1)
        self.assertEqual((self.told, self.life.pid), (["ready", "ended"], None))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_never_ready_for_any_time(self) -> None:
        self.child.exit(1)
        self.assertIsNone(self.life.ready_for)

    def test_no_signal_until_it_is_understood(self) -> None:
        done = self.end()
        self.run_for(1)
        self.child.out(LAST_LINE)
        self.reactor.advance(SETTLING / 2)
        self.assertEqual(self.child.signals, [])
        self.reactor.advance(SETTLING)
        self.assertEqual(self.child.names, ["TERM"])
        self.child.exit(0)
        self.successResultOf(done)

    def test_a_second_last_line_does_not_put_it_off(self) -> None:
        self.child.out(LAST_LINE)
        self.reactor.advance(SETTLING)
        self.child.out(LAST_LINE)
        self.end()
        self.assertEqual(self.child.names, ["TERM"])

    def test_one_that_ends_while_we_wait_is_not_signalled(self) -> None:
        done = self.end()
        self.child.exit(1)
        self.successResultOf(done)
        self.assertEqual(self.child.signals, [])

    def test_overdue_says_the_last_words(self) -> None:
        self.child.out(b'{"level":"info","message":"Opening database"}\n')
        self.run_for(122)
        self.assertEqual(self.told[-1], "failing")
        self.assertIn("its last words: info Opening database", self.sentence())

    def test_overdue_in_silence(self) -> None:
        self.run_for(122)
        self.assertTrue(self.sentence().endswith("and said nothing."))

    def test_why_it_was_ended_outlives_how(self) -> None:
        self.run_for(122)
        done = self.end(1.0)
        self.run_for(2)
        self.successResultOf(done)
        self.assertEqual(self.child.names, ["KILL"])
        self.assertIn("did not get ready", self.sentence())

    def test_the_first_fatal_words_explain_however_many_follow(self) -> None:
        self.child.err(b"panic: the first\n" + b"".join(b"panic: number %d\n" % number for number in range(500)))
        self.child.exit(2)
        self.assertIn("the first", self.sentence())

    def test_words_without_an_end_of_line_count(self) -> None:
        self.child.err(b"Error: the moon")
        self.child.exit(1)
        self.assertEqual(self.sentence(), "headscale gave up: the moon.")

    def test_no_secret_in_an_explanation(self) -> None:
        self.child.err(b"Error: bad key hskey-auth-abcdefghijkl-mnopqrst\n")
        self.child.exit(1)
        self.assertIn("hskey-auth-abcd…", self.sentence())
        self.assertNotIn("mnop", self.sentence())
