"""What goes wrong outside: each time one clear sentence, a state that says it, nothing lost, and no traceback for anybody."""

from __future__ import annotations

import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.headscale_child import install
from tests.live.rig import Hsadmin, until

# A clock that jumps by what a file says. The core of grpc reads the system's own, which a test cannot move, so its Python half must see that one.
JUMP = """
import os, sys, time
_real, _flag = time.time, {flag!r}

def jumping():
    offset = float(open(_flag).read()) if os.path.exists(_flag) else 0.0
    return _real() + (0.0 if sys._getframe(1).f_globals.get("__name__", "").startswith("grpc") else offset)

time.time = jumping
"""


class FaultTests(SynchronousTestCase):
    def made(self, **behaviour: Any) -> Hsadmin:
        folder = Path(self.mktemp())
        folder.mkdir()
        hsadmin = Hsadmin(headscale=str(install(folder.resolve(), grpc=True, **behaviour)))
        self.addCleanup(self.closed, hsadmin)
        return hsadmin

    def closed(self, hsadmin: Hsadmin) -> None:
        log = hsadmin.log()
        hsadmin.close()
        self.assertNotIn("Traceback", log)

    def ends_with(self, hsadmin: Hsadmin, status: int, *words: str) -> None:
        hsadmin.start()
        self.assertEqual(hsadmin.running().wait(60), status, hsadmin.log_tail())
        for word in words:
            self.assertIn(word, hsadmin.log())

    def test_a_good_start_ends_by_the_signal_it_gets(self) -> None:
        hsadmin = self.made()
        hsadmin.start()
        hsadmin.ready()
        self.assertEqual(hsadmin.local("/healthz"), (200, "ok\n"))
        self.assertEqual(hsadmin.stop(signal.SIGTERM), -signal.SIGTERM)
        self.assertEqual(hsadmin.leftovers(), [])

    def test_a_taken_port_is_named(self) -> None:
        hsadmin = self.made()
        with socket.create_server(("127.0.0.1", hsadmin.port)):
            self.ends_with(hsadmin, 69, str(hsadmin.port))
        self.assertEqual(hsadmin.leftovers(), [])

    def test_a_bad_key_is_named_with_its_line(self) -> None:
        hsadmin = self.made()
        hsadmin.config_file.write_text(hsadmin.config_file.read_text() + "surver: {}\n")
        self.ends_with(hsadmin, 78, "hsadmin.yaml", "surver")

    def test_a_work_directory_too_deep_for_sockets_is_named(self) -> None:
        hsadmin = self.made()
        hsadmin.config_file.write_text(hsadmin.config_file.read_text().replace(str(hsadmin.work), str(hsadmin.folder / ("d" * 100))))
        self.ends_with(hsadmin, 78, "107")

    def test_an_unreadable_headscale_yaml_is_told_while_the_front_listens_and_mended_without_a_restart(self) -> None:
        hsadmin = self.made()
        in_the_way = hsadmin.work / "headscale" / "headscale.yaml"
        in_the_way.mkdir(parents=True, mode=0o700)
        hsadmin.work.chmod(0o700)
        hsadmin.start()
        engine = until(lambda: hsadmin.engine_that_says("headscale.yaml"), 30, "the reason to be told")
        self.assertEqual(engine["phase"], "unavailable")
        self.assertTrue(engine["code"].startswith("settings."), engine["code"])
        self.assertEqual(hsadmin.readiness()[0], 503)
        in_the_way.rmdir()
        hsadmin.ready()

    def test_a_child_that_prints_bytes_is_shown_as_text(self) -> None:
        hsadmin = self.made(binary=True, huge=1 << 20)
        hsadmin.start()
        hsadmin.ready()
        for line in hsadmin.engine()["last_lines"]:
            self.assertTrue(line.isprintable(), repr(line[:80]))
        self.assertEqual(hsadmin.log_file.read_bytes().count(b"\0"), 0)

    def test_a_child_that_never_gets_ready_keeps_nobody_from_the_front(self) -> None:
        hsadmin = self.made(never_ready=True)
        hsadmin.start()
        until(lambda: hsadmin.engine().get("phase") == "starting", 30, "headscale to be started")
        self.assertEqual(hsadmin.local("/healthz")[0], 200)
        self.assertEqual(hsadmin.readiness()[0], 503)
        self.assertEqual(hsadmin.get("/robots.txt").status, 200)
        self.assertEqual(hsadmin.get("/key?v=138").status, 503)
        self.assertEqual(hsadmin.stop(), -signal.SIGTERM)

    def test_a_child_that_answers_grpc_late_is_waited_for(self) -> None:
        hsadmin = self.made(grpc_late=3)
        hsadmin.start()
        until(lambda: "listening and serving HTTP" in hsadmin.log(), 30, "headscale to listen")
        self.assertEqual(hsadmin.engine()["phase"], "starting")
        self.assertEqual(hsadmin.local("/readyz"), (503, "headscale: starting.\n"))
        hsadmin.ready()
        self.assertEqual((hsadmin.engine()["starts"], hsadmin.engine()["restarts"]), (1, 0))

    def test_the_clock_may_jump(self) -> None:
        """An hour ahead, then a day back: nobody is thrown out, and timers go on by a clock that does not jump."""
        hsadmin = self.made()
        flag = hsadmin.folder / "jump"
        (hsadmin.folder / "sitecustomize.py").write_text(JUMP.format(flag=str(flag)))
        hsadmin.start(PYTHONPATH=f"{hsadmin.folder}:{Path(__file__).resolve().parents[2]}")
        hsadmin.ready()
        child = hsadmin.engine()["pid"]
        began = hsadmin.status()["uptime"]
        for seconds in (3600, -86400):
            flag.write_text(str(seconds))
            until(partial(self.jumped, hsadmin, began, seconds), 10, "the jump to be seen")
            self.assertEqual(hsadmin.get("/key?v=138").status, 404)  # the stand-in's own answer: it was asked
            self.assertEqual(hsadmin.engine()["pid"], child)
        hsadmin.kill_headscale()
        until(lambda: self.is_back(hsadmin, child), 50, "headscale to be back")

    @staticmethod
    def is_back(hsadmin: Hsadmin, child: int) -> bool:
        engine = hsadmin.engine()
        return bool(engine["phase"] == "ready" and engine["pid"] != child)

    @staticmethod
    def jumped(hsadmin: Hsadmin, began: float, seconds: int) -> bool:
        uptime = float(hsadmin.status()["uptime"])
        return uptime >= began + 3600 if seconds > 0 else uptime < began + 3600
