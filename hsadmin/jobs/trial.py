"""What a trial does once headscale is ready: makes the user `me` if there is none and a reusable key for 24 hours, and tells how to join.

The key goes to the terminal and nowhere else: whoever started the trial can use it, and no log has it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from hsadmin.errors import Problem
from hsadmin.interfaces import IEngine, IHeadscale
from hsadmin.model.engine import EngineState, Phase

USER = "me"
KEY_LIFE = datetime.timedelta(hours=24)


class Trial(Service):
    """`tell` gets lines for the terminal; `now` is wall-clock seconds."""

    log = Logger()

    def __init__(self, engine: IEngine, headscale: IHeadscale, *, url: str, tell: Callable[[str], None], now: Callable[[], float]) -> None:
        self._engine = engine
        self._headscale = headscale
        self._url = url
        self._tell = tell
        self._now = now
        self._unwatch: Callable[[], None] | None = None
        self._greeting: Deferred[None] | None = None
        self._reason = ""  # why headscale does not run, as last told

    def startService(self) -> None:
        Service.startService(self)
        self._tell(f"hsadmin trial: the console is at {self._url}/admin (this machine only, no sign-in). headscale is starting.")
        self._unwatch = self._engine.watch(self._changed)
        self._changed(self._engine.state())

    def stopService(self) -> None:
        Service.stopService(self)
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        if self._greeting is not None:
            self._greeting.cancel()

    def _changed(self, state: EngineState) -> None:
        if state.reason not in ("", self._reason):
            self._tell(f"headscale does not run: {state.reason}")
        self._reason = state.reason
        if state.phase is Phase.READY and self._greeting is None:
            self._greeting = Deferred.fromCoroutine(self._greet())
            self._greeting.addErrback(self._not_greeted)

    async def _greet(self) -> None:
        users = await self._headscale.list_users()
        me = next((user for user in users if user.name == USER), None) or await self._headscale.create_user(USER)
        expires = datetime.datetime.fromtimestamp(self._now(), datetime.UTC) + KEY_LIFE
        key = await self._headscale.create_preauth_key(expires=expires, owner_id=me.id, reusable=True)
        self._tell(
            f"\nReady. The console is at {self._url}/admin\n\n"
            "Join a device of this machine (direct connections only; relay needs TLS):\n\n"
            f"    tailscale up --login-server {self._url} --auth-key {key.secret}\n\n"
            "The key can be used again and ends in 24 hours. Ctrl-C ends the trial."
        )

    def _not_greeted(self, failure: Failure) -> None:
        if not self.running:
            return
        if isinstance(failure.value, Problem):
            self._tell(f"The trial's key could not be made: {failure.value.sentence}")
        else:
            self.log.failure("The trial's key could not be made", failure)
