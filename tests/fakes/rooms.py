"""Stand-ins for whole rooms, as the console and the command line see them: each says what a test made it say, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from zope.interface import implementer

from hsadmin.console.neighbours import Neighbours
from hsadmin.interfaces import ICertificates, IEngine, IFront
from hsadmin.model.engine import EngineState, Phase, Trust
from hsadmin.model.front import Listening, OpenStream
from hsadmin.model.keys import NewKey
from hsadmin.model.lag import Bucket, Lag
from hsadmin.model.users import User

CA_PEM = b"-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n"

SECRET = "hskey-auth-" + "a" * 12 + "-" + "b" * 64


@implementer(IEngine)
class FakeEngine:
    def __init__(self, state: EngineState | None = None) -> None:
        self.now = state or EngineState(phase=Phase.READY, since=1000.0, version="0.29.3", trust=Trust.PINNED, pid=4711, starts=1)
        self.restarts = 0

    def state(self) -> EngineState:
        return self.now

    def watch(self, changed: Callable[[EngineState], None]) -> Callable[[], None]:
        return lambda: None

    async def restart(self) -> None:
        self.restarts += 1


@implementer(IFront)
class FakeFront:
    def __init__(self) -> None:
        self.counted: dict[str, int] = {"requests.ts2021": 3, "requests.key": 5}
        self.streams: list[OpenStream] = []
        self.listeners = [Listening(address="127.0.0.1:8080", tls=False, purpose="public")]

    def park(self) -> None:
        pass

    def resume(self) -> None:
        pass

    async def close_tunnels(self) -> None:
        self.streams.clear()

    def counters(self) -> Mapping[str, int]:
        return self.counted

    def open_streams(self) -> Sequence[OpenStream]:
        return self.streams

    def listening(self) -> Sequence[Listening]:
        return self.listeners


@implementer(ICertificates)
class FakeCertificates:
    publicly_trusted = False
    summary = "self-signed for tailnet.example.com until 2027-01-01"

    def __init__(self, ca: bytes | None = CA_PEM) -> None:
        self._ca = ca

    def context(self) -> Any:
        return None

    def ssl_context(self, server_name: str | None, alpn: Sequence[str]) -> Any:
        return None

    def pem(self) -> tuple[bytes, bytes]:
        return b"", b""

    def watch(self, changed: Callable[[None], None]) -> Callable[[], None]:
        return lambda: None

    def reload(self) -> str | None:
        return None

    def ca_pem(self) -> bytes | None:
        return self._ca


class FakeUsersAndKeys:
    """The part of IHeadscale that admin.sock uses; `fault` is raised by every call instead of an answer."""

    def __init__(self, *users: User) -> None:
        self.users = list(users)
        self.asked: list[dict[str, Any]] = []
        self.fault: Exception | None = None

    async def list_users(self) -> Sequence[User]:
        self._answer()
        return self.users

    async def create_user(self, name: str, *, display_name: str = "", email: str = "", picture_url: str = "") -> User:
        self._answer()
        user = User(id=len(self.users) + 1, name=name, display_name=display_name, email=email)
        self.users.append(user)
        return user

    async def create_preauth_key(
        self, *, expires: datetime, owner_id: int | None = None, tags: Sequence[str] = (), reusable: bool = False, ephemeral: bool = False
    ) -> NewKey:
        self._answer()
        self.asked.append({"expires": expires, "owner_id": owner_id, "tags": tuple(tags), "reusable": reusable, "ephemeral": ephemeral})
        return NewKey(id=len(self.asked), secret=SECRET)

    def _answer(self) -> None:
        if self.fault is not None:
            raise self.fault


LAG = Lag(buckets=(Bucket(upto=0.001, beats=3), Bucket(upto=None, beats=0)), worst=0.0004, stalls=0, last=None)


class Clock:
    """Wall-clock seconds that stand still until a test moves them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def neighbours(**changes: Any) -> Neighbours:
    """What the console is given, of fakes; `changes` replaces some."""
    given: dict[str, Any] = {
        "engine": FakeEngine(),
        "front": FakeFront(),
        "headscale": FakeUsersAndKeys(),
        "certificates": None,
        "public_url": "http://127.0.0.1:8080",
        "tls_mode": "off",
        "started": 1000.0,
        "now": Clock(1060.0),
        "lag": lambda: LAG,
    }
    return Neighbours(**{**given, **changes})
