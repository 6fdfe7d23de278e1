"""The datagrams that systemd gets."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from tempfile import mkdtemp

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.system.notify import Notify


class NotifyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(mkdtemp()) / "notify"
        self.clock = Clock()
        self.status = "starting"
        self.inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.inbox.bind(str(self.path))
        self.inbox.setblocking(False)
        self.addCleanup(self.inbox.close)

    def made(self, **environ: str) -> Notify:
        return Notify(self.clock, environ, lambda: self.status)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.inbox.recv(4096).decode())
            except BlockingIOError:
                return found

    def test_ready_then_status_then_stopping(self) -> None:
        notify = self.made(NOTIFY_SOCKET=str(self.path))
        notify.changed()
        notify.startService()
        self.status = "headscale is ready"
        notify.changed()
        notify.stopService()
        notify.changed()
        self.assertEqual(self.heard(), ["READY=1\nSTATUS=starting", "STATUS=headscale is ready", "STOPPING=1"])

    def test_the_watchdog_is_fed_at_half_its_interval(self) -> None:
        notify = self.made(NOTIFY_SOCKET=str(self.path), WATCHDOG_USEC="10000000", WATCHDOG_PID=str(os.getpid()))
        notify.startService()
        self.heard()
        self.clock.pump([5, 5])
        self.assertEqual(self.heard(), ["WATCHDOG=1", "WATCHDOG=1"])
        notify.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_another_process_s_watchdog_is_not_fed(self) -> None:
        self.made(NOTIFY_SOCKET=str(self.path), WATCHDOG_USEC="1000000", WATCHDOG_PID="1").startService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_happens_outside_systemd(self) -> None:
        self.made().startService()
        self.made(NOTIFY_SOCKET="/nowhere/socket").startService()
        self.assertEqual(self.heard(), [])
