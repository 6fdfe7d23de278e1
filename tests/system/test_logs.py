"""Logs: every event is one line, holds no secret, and a line that cannot be written stops nothing."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.application.service import Application
from twisted.logger import ILogObserver, Logger, LogPublisher, globalLogPublisher
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import ConfigProblem
from hsadmin.model.front import AccessRecord
from hsadmin.system.logs import Logs, json_lines
from hsadmin.system.redact import redact

NOON = datetime(2026, 11, 23, 12, 0, 0, 250_000, UTC).timestamp()
SECRET = "hskey-auth-" + "s3cr3t" * 12
RECORD = AccessRecord(
    route="derp", method="GET", status=101, received=300, sent=4000, seconds=12.34567891, peer="203.0.113.9", tunnel=True, note="gone"
)


class LogCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def logs(self, **given: Any) -> Logs:
        logs = Logs(**{"file": self.path, "now": lambda: NOON, **given})
        self.addCleanup(logs._close)
        return logs

    def logger(self, logs: Logs, namespace: str = "hsadmin.part") -> Logger:
        return Logger(namespace, observer=LogPublisher(logs))

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()

    def last(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.lines()[-1])
        return line


class JsonTests(LogCase):
    def test_an_event_is_one_line_with_its_fields(self) -> None:
        self.logger(self.logs()).info("headscale {version} is ready", version="0.29.3", pid=4711, ports=[1, 2], ok=True)
        (line,) = self.lines()
        event = json.loads(line)
        self.assertEqual(list(event)[:4], ["time", "level", "namespace", "message"])
        self.assertRegex(event["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertEqual((event["level"], event["namespace"], event["message"]), ("info", "hsadmin.part", "headscale 0.29.3 is ready"))
        self.assertEqual((event["version"], event["pid"], event["ports"], event["ok"]), ("0.29.3", 4711, [1, 2], True))

    def test_what_is_the_message_is_not_told_twice(self) -> None:
        self.logger(self.logs()).info("headscale: {line}", line="starting", pid=4711)
        self.assertEqual(set(self.last()), {"time", "level", "namespace", "message", "pid"})

    def test_levels_have_the_words_of_the_configuration(self) -> None:
        logger = self.logger(self.logs(level="debug"))
        for name in ("debug", "info", "warn", "error", "critical"):
            getattr(logger, name)("x")
        self.assertEqual([json.loads(line)["level"] for line in self.lines()], ["debug", "info", "warning", "error", "critical"])

    def test_what_is_below_the_level_is_not_written(self) -> None:
        logger = self.logger(self.logs(level="warning"))
        logger.info("no")
        logger.warn("yes")
        self.assertEqual([json.loads(line)["message"] for line in self.lines()], ["yes"])

    def test_twisteds_chatter_is_debug(self) -> None:
        logs = self.logs()
        self.logger(logs, "twisted.web.http").info("Starting factory")
        self.logger(logs, "twisted.web.http").warn("worth a look")
        self.assertEqual([json.loads(line)["message"] for line in self.lines()], ["worth a look"])

    def test_a_traceback_is_one_field(self) -> None:
        try:
            raise ValueError("of two lines\nin all")
        except ValueError:
            self.logger(self.logs()).failure("it broke", Failure())
        (line,) = self.lines()
        event = json.loads(line)
        self.assertEqual((event["level"], event["message"]), ("critical", "it broke"))
        self.assertIn("ValueError: of two lines", event["traceback"])
        self.assertIn("test_logs.py", event["traceback"])

    def test_no_field_takes_the_place_of_ours(self) -> None:
        self.logger(self.logs()).info("mine", time="theirs", namespace="theirs", traceback="theirs")
        event = self.last()
        self.assertEqual(
            (event["namespace"], event["message"], event["namespace_"], event["time_"], event["traceback_"]),
            ("hsadmin.part", "mine", *["theirs"] * 3),
        )

    def test_what_cannot_be_encoded_is_still_a_line(self) -> None:
        class Odd:
            def __str__(self) -> str:
                raise RuntimeError("no")

        endless: list[Any] = []
        endless.append(endless)
        logger = self.logger(self.logs())
        for value in (object(), Odd(), b"\xff", "\ud800", {1: 2, (3, 4): 5}, endless, float("nan"), 2**70, "x" * 100_000):
            logger.info("odd", value=value)
        events = [json.loads(line) for line in self.lines()]
        self.assertEqual([event["message"] for event in events], ["odd"] * 9)
        self.assertLess(max(map(len, self.lines())), 20_000)

    def test_secrets_are_cut_wherever_they_stand(self) -> None:
        logger = self.logger(self.logs())
        logger.info("made {key}", key=SECRET, deep={"in": [SECRET]}, other=type("Odd", (), {"__str__": lambda _: SECRET})())
        try:
            raise ValueError(SECRET)
        except ValueError:
            logger.failure("with " + SECRET)
        text = self.path.read_text()
        self.assertNotIn(SECRET, text)
        self.assertNotIn(SECRET[20:], text)
        self.assertIn(redact(SECRET), text)
        for line in self.lines():
            json.loads(line)

    def test_a_line_break_in_a_message_makes_no_line(self) -> None:
        self.logger(self.logs()).info("{name}", name='x\n{"level":"critical","message":"forged"}')
        self.assertEqual(len(self.lines()), 1)


class EarlyTests(LogCase):
    def test_what_twistd_says_before_the_start_waits_for_the_folder(self) -> None:
        folder = Path(self.mktemp())
        self.path = folder / "log"
        logs = self.logs()
        logs.adopt(Componentized())
        self.logger(logs).info("starting up")
        folder.mkdir()
        logs.startService()
        self.logger(logs).info("started")
        self.assertEqual([json.loads(line)["message"] for line in self.lines()], ["starting up", "started"])


class TextTests(LogCase):
    def test_a_line_for_people(self) -> None:
        logs = self.logs(format="text")
        logs.say("warning", "hsadmin.part", "look here")
        self.assertEqual(self.lines(), ["2026-11-23 12:00:00.250Z warning  hsadmin.part: look here"])

    def test_nothing_steers_the_terminal(self) -> None:
        self.logger(self.logs(format="text")).info("{name}", name="a\x1b[2Jb\nc\x9bd\x7f")
        (line,) = self.lines()
        self.assertTrue(line.endswith(r"a\x1b[2Jb\nc\x9bd\x7f"), line)

    def test_a_traceback_stands_below_and_to_the_right(self) -> None:
        try:
            raise ValueError("x")
        except ValueError:
            self.logger(self.logs(format="text")).failure("it broke")
        first, *below = self.lines()
        self.assertTrue(first.endswith("hsadmin.part: it broke"), first)
        self.assertTrue(below and all(line.startswith("    ") for line in below))


class AccessTests(LogCase):
    def test_json(self) -> None:
        self.logs(level="error").access(RECORD)
        self.assertEqual(
            self.last(),
            {
                "time": "2026-11-23T12:00:00.250000Z",
                "level": "info",
                "namespace": "hsadmin.access",
                "message": "203.0.113.9 GET derp 101",
                "route": "derp",
                "method": "GET",
                "status": 101,
                "received": 300,
                "sent": 4000,
                "seconds": 12.345679,
                "peer": "203.0.113.9",
                "tunnel": True,
                "note": "gone",
            },
        )

    def test_text(self) -> None:
        self.logs(format="text").access(RECORD)
        self.assertTrue(self.lines()[0].endswith("hsadmin.access: 203.0.113.9 GET derp 101, 300 B in, 4000 B out, 12.346 s, gone"))


class FileTests(LogCase):
    def test_reopened_where_the_path_leads_now(self) -> None:
        logs = self.logs()
        logs.say("info", "x", "one")
        moved = self.path.with_suffix(".1")
        self.path.rename(moved)
        logs.say("info", "x", "two")
        logs.reopen()
        logs.say("info", "x", "three")
        self.assertEqual([json.loads(line)["message"] for line in moved.read_text().splitlines()], ["one", "two"])
        self.assertEqual([json.loads(line)["message"] for line in self.lines()], ["three"])

    def test_a_file_that_cannot_be_opened_again_keeps_the_old_one(self) -> None:
        self.path.mkdir()
        self.path = self.path / "log"
        logs = self.logs()
        logs.say("info", "x", "one")
        folder = self.path.parent
        moved = folder.with_name(folder.name + "-moved")
        folder.rename(moved)
        logs.reopen()
        logs.say("info", "x", "two")
        written = [json.loads(line)["message"] for line in (moved / "log").read_text().splitlines()]
        self.assertEqual((written[0], written[2]), ("one", "two"))
        self.assertEqual(written[1], f"log.file {self.path} cannot be opened again: No such file or directory.")

    def test_start_says_why_not(self) -> None:
        logs = self.logs(file=self.path / "nowhere" / "log")
        problem = self.assertRaises(ConfigProblem, logs.startService)
        self.assertIn("cannot be written: No such file or directory.", problem.sentence)

    def test_nobody_else_reads_it(self) -> None:
        self.logs().say("info", "x", "one")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_a_full_disk_stops_nothing_and_is_told(self) -> None:
        logs = self.logs()
        logs.say("info", "x", "one")
        write = os.write

        def full(target: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "write", full)
        logs.say("info", "x", "two")
        logs.say("info", "x", "three")
        self.patch(os, "write", write)
        logs.say("info", "x", "four")
        self.assertEqual([json.loads(line)["message"] for line in self.lines()], ["one", "2 lines could not be written.", "four"])

    def test_short_writes_are_finished(self) -> None:
        write = os.write
        self.patch(os, "write", lambda target, data: write(target, data[:7]))
        self.logs().say("info", "x", "a longer message")
        self.assertEqual(self.last()["message"], "a longer message")


class PlacesTests(LogCase):
    def test_standard_output_is_the_descriptor(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        logs = self.logs(file=None, stdout=writing)
        logs.say("info", "x", "one")
        logs.terminal(f"tailscale up --auth-key {SECRET}")
        os.close(writing)
        line, spoken = os.read(reading, 4096).decode().splitlines()
        self.assertEqual(json.loads(line)["message"], "one")
        self.assertEqual(spoken, f"tailscale up --auth-key {SECRET}")

    def test_a_reader_that_left_stops_nothing(self) -> None:
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        os.close(reading)
        logs = self.logs(file=None, stdout=writing)
        logs.say("info", "x", "one")
        logs.terminal("one")

    def test_service_listens_between_start_and_stop(self) -> None:
        logs = self.logs()
        logs.startService()
        Logger("hsadmin.part").info("heard")
        logs.stopService()
        Logger("hsadmin.part").info("not heard")
        self.assertEqual([json.loads(line)["message"] for line in self.lines()], ["heard"])

    def test_adopted_it_is_twistds_observer(self) -> None:
        """AppLogger takes the application's ILogObserver component; the service then adds no second one."""
        application = Application("x")
        logs = self.logs()
        logs.adopt(application)
        self.assertIs(application.getComponent(ILogObserver), logs)
        before = list(globalLogPublisher._observers)
        logs.startService()
        self.assertEqual(list(globalLogPublisher._observers), before)
        logs.stopService()
        logs.say("info", "x", "Server Shut Down.")
        self.assertEqual(self.last()["message"], "Server Shut Down.")

    def test_factory_for_twistd(self) -> None:
        self.assertTrue(ILogObserver.providedBy(json_lines()))
