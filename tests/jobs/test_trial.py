"""The trial's greeting: once, to the terminal only, with a key that was made for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import HeadscaleDown
from hsadmin.jobs.trial import KEY_LIFE, Trial
from hsadmin.model.engine import EngineState, Phase
from hsadmin.model.keys import NewKey
from hsadmin.model.users import User

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = "hskey-auth-" + "a" * 12 + "-" + "b" * 64


class Engine:
    """An engine whose state the test sets."""

    def __init__(self) -> None:
        self.watchers: list[Callable[[EngineState], None]] = []
        self.now = EngineState(phase=Phase.STARTING)

    def state(self) -> EngineState:
        return self.now

    def watch(self, changed: Callable[[EngineState], None]) -> Callable[[], None]:
        self.watchers.append(changed)
        return lambda: self.watchers.remove(changed)

    def become(self, phase: Phase, reason: str = "") -> None:
        self.now = EngineState(phase=phase, reason=reason)
        for watcher in list(self.watchers):
            watcher(self.now)


class Headscale:
    """Users and keys, as far as the trial asks for them."""

    def __init__(self, *names: str) -> None:
        self.users = [User(id=number, name=name) for number, name in enumerate(names, 1)]
        self.keys: list[dict[str, Any]] = []
        self.down = False

    async def list_users(self) -> list[User]:
        if self.down:
            raise HeadscaleDown("headscale is not running.")
        return self.users

    async def create_user(self, name: str) -> User:
        self.users.append(User(id=len(self.users) + 1, name=name))
        return self.users[-1]

    async def create_preauth_key(self, **asked: Any) -> NewKey:
        self.keys.append(asked)
        return NewKey(id=1, secret=SECRET)


class TrialTests(SynchronousTestCase):
    def begin(self, headscale: Headscale) -> None:
        self.told: list[str] = []
        self.engine = Engine()
        self.headscale = headscale
        self.trial = Trial(
            cast(Any, self.engine), cast(Any, headscale), url="http://127.0.0.1:8080", tell=self.told.append, now=NOON.timestamp
        )
        self.trial.startService()

    def test_the_console_is_told_at_once_and_the_command_when_headscale_is_ready(self) -> None:
        self.begin(Headscale())
        self.assertEqual(len(self.told), 1)
        self.assertIn("http://127.0.0.1:8080/admin", self.told[0])
        self.engine.become(Phase.READY)
        self.assertIn(f"tailscale up --login-server http://127.0.0.1:8080 --auth-key {SECRET}", self.told[1])
        self.assertIn("direct connections only; relay needs TLS", self.told[1])
        self.assertEqual(self.headscale.keys, [{"expires": NOON + KEY_LIFE, "owner_id": 1, "reusable": True}])

    def test_the_user_is_made_only_when_missing(self) -> None:
        self.begin(Headscale("ann", "me"))
        self.engine.become(Phase.READY)
        self.assertEqual([user.name for user in self.headscale.users], ["ann", "me"])
        self.assertEqual(self.headscale.keys[0]["owner_id"], 2)

    def test_a_restart_of_headscale_makes_no_second_key(self) -> None:
        self.begin(Headscale())
        for phase in (Phase.READY, Phase.BACKING_OFF, Phase.READY):
            self.engine.become(phase)
        self.assertEqual(len(self.headscale.keys), 1)

    def test_why_headscale_does_not_run_is_told_once(self) -> None:
        self.begin(Headscale())
        for phase in (Phase.BACKING_OFF, Phase.PREPARING, Phase.BACKING_OFF):
            self.engine.become(phase, "its database is damaged.")
        self.assertEqual(self.told[1:], ["headscale does not run: its database is damaged."])

    def test_the_key_is_in_no_log(self) -> None:
        logged: list[str] = []
        observer: Any = lambda event: logged.append(repr(event))  # noqa: E731 - the same object is removed later
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.begin(Headscale())
        self.engine.become(Phase.READY)
        self.assertNotIn(SECRET, "".join(logged))

    def test_a_key_that_cannot_be_made_is_told_in_one_sentence(self) -> None:
        headscale = Headscale()
        headscale.down = True
        self.begin(headscale)
        self.engine.become(Phase.READY)
        self.assertEqual(self.told[1], "The trial's key could not be made: headscale is not running.")

    def test_nothing_is_told_after_the_stop(self) -> None:
        self.begin(Headscale())
        self.trial.stopService()
        self.assertEqual(self.engine.watchers, [])
        self.engine.become(Phase.READY)
        self.assertEqual(len(self.told), 1)
