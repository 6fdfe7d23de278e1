"""How hsadmin ends and begins again, by every signal, with the real headscale."""

from __future__ import annotations

import os
import signal
import time

from twisted.trial.unittest import TestCase

from tests.live.rig import Hsadmin, alive, until


class LifecycleTests(TestCase):
    """`workers` is front.workers."""

    timeout = 300
    workers = 0

    def setUp(self) -> None:
        self.hsadmin = Hsadmin({"front": {"workers": self.workers}})
        self.addCleanup(self.hsadmin.close)

    def up(self) -> int:
        """Starts, and returns headscale's pid once it is ready."""
        self.hsadmin.start()
        self.hsadmin.ready()
        return int(self.hsadmin.status()["headscale"]["pid"])

    def assert_nothing_left(self) -> None:
        self.assertEqual(self.hsadmin.leftovers(), [])
        self.assertEqual([path.name for path in (self.hsadmin.work / "run").iterdir() if path.is_socket()], [])

    def test_sigkill_of_headscale_is_seen_and_mended(self) -> None:
        first = self.up()
        os.kill(first, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: self.hsadmin.engine()["pid"] != first, 5 * 1, "the end of headscale to be seen")
        seen = time.monotonic()
        until(lambda: self.hsadmin.engine()["phase"] == "ready", 5 * 10, "headscale to be ready again")
        print(f"\nkilled headscale: seen after {seen - killed:.2f} s, ready after {time.monotonic() - killed:.2f} s")
        self.assertEqual(self.hsadmin.engine()["restarts"], 1)

    def test_sigterm_ends_by_that_signal_without_an_orphan(self) -> None:
        child = self.up()
        self.assertEqual(self.hsadmin.stop(signal.SIGTERM), -signal.SIGTERM)
        self.assertFalse(alive(child))
        self.assert_nothing_left()

    def test_sigint_to_the_whole_group_restarts_nothing(self) -> None:
        child = self.up()
        process = self.hsadmin.running()
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(5 * 25), -signal.SIGINT)
        self.assertFalse(alive(child))
        self.assertNotIn("Traceback", self.hsadmin.log())
        self.assertEqual(self.hsadmin.log().count("starting headscale"), 1)
        self.assert_nothing_left()

    def test_sigkill_of_hsadmin_is_recovered_by_the_next_start(self) -> None:
        orphan = self.up()
        self.assertEqual(self.hsadmin.stop(signal.SIGKILL), -signal.SIGKILL)
        self.assertTrue(alive(orphan))
        child = self.up()
        self.assertNotEqual(child, orphan)
        self.assertFalse(alive(orphan))

    def test_a_second_hsadmin_on_the_work_directory_is_refused(self) -> None:
        self.up()
        holder = self.hsadmin.running()
        self.hsadmin.start()
        self.assertEqual(self.hsadmin.running().wait(60), 75)
        self.assertIn(str(holder.pid), self.hsadmin.log_tail())
        self.hsadmin.process = holder

    def test_hangup_leaves_everything_running(self) -> None:
        child = self.up()
        self.hsadmin.running().send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP" in self.hsadmin.log(), 5 * 1, "SIGHUP to be acted on")
        self.assertEqual(self.hsadmin.engine()["pid"], child)

    def test_headscale_that_cannot_start_is_explained_while_the_front_listens(self) -> None:
        database = self.hsadmin.work / "headscale" / "db.sqlite"
        database.parent.mkdir(parents=True, mode=0o700)
        self.hsadmin.work.chmod(0o700)
        database.write_bytes(b"this is no database" * 1000)
        self.hsadmin.start()
        until(lambda: self.hsadmin.readiness()[0] == 503, 5 * 1, "the front to listen")
        engine = until(lambda: self.hsadmin.engine_that_says("not a database"), 30, "the reason to be told")
        self.assertIn(engine["phase"], ("backing-off", "crash-loop", "starting", "preparing"))
        self.assertEqual(self.hsadmin.get("/key?v=138").status, 503)
        self.assertEqual(self.hsadmin.get("/swagger").status, 404)
