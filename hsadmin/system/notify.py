"""What systemd wants to know of a service: ready, a status line, still alive, stopping. Nothing happens outside systemd."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall


class Notify(Service):
    """READY=1 when started (it is the last to start), STATUS as told, WATCHDOG=1 at half of the interval, STOPPING=1 first on the way down."""

    def __init__(self, reactor: IReactorTime, environ: Mapping[str, str], status: Callable[[], str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._status = status
        self._every = _watchdog_seconds(environ)
        self._beat = LoopingCall(self._alive)
        self._beat.clock = reactor

    def startService(self) -> None:
        Service.startService(self)
        self._send(f"READY=1\nSTATUS={self._status()}")
        if self._address and self._every:
            self._beat.start(self._every / 2, now=False)

    def stopService(self) -> None:
        Service.stopService(self)
        if self._beat.running:
            self._beat.stop()
        self._send("STOPPING=1")

    def changed(self) -> None:
        """Sends the status line again."""
        if self.running:
            self._send(f"STATUS={self._status()}")

    def _alive(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto(message.replace("\0", "").encode(), address)


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """The interval that systemd asks of this very process, 0 for none."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    try:
        return int(environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return 0.0
