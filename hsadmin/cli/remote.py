"""The running hsadmin, as its command line sees it: HTTP over admin.sock."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as Overdue
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionLost
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from hsadmin.errors import DaemonAway, DaemonRefused

T = TypeVar("T")

CONNECT = 5.0  # seconds
ANSWER = 90.0  # more than any call of headscale's takes
JSON = Headers({"content-type": ["application/json"]})


class _Refusal(msgspec.Struct):
    detail: str


class Daemon:
    """`socket` is the work directory's admin.sock. Every method raises DaemonAway or DaemonRefused."""

    def __init__(self, reactor: Any, socket: Path, *, patience: float = ANSWER) -> None:
        self._reactor = reactor
        self._socket = socket
        self._patience = patience
        pool = HTTPConnectionPool(reactor, persistent=False)
        self._client = HTTPClient(Agent.usingEndpointFactory(reactor, _Here(reactor, socket), pool))

    async def get(self, path: str, kind: type[T]) -> T:
        return await self._ask("GET", path, None, kind)

    async def post(self, path: str, value: Any, kind: type[T]) -> T:
        return await self._ask("POST", path, msgspec.json.encode(value), kind)

    async def _ask(self, method: str, path: str, body: bytes | None, kind: type[T]) -> T:
        try:
            status, content = await Deferred.fromCoroutine(self._exchange(method, path, body)).addTimeout(self._patience, self._reactor)
        except ConnectError as failed:
            raise DaemonAway(why(self._socket, failed)) from None
        except (Overdue, CancelledError, ConnectingCancelledError):
            raise DaemonAway(f"hsadmin on {self._socket} does not answer.") from None
        except (ResponseFailed, ConnectionLost) as failed:
            if any(reason.check(CancelledError) for reason in getattr(failed, "reasons", ())):
                raise DaemonAway(f"hsadmin on {self._socket} does not answer.") from None
            raise DaemonAway(f"hsadmin closed the connection on {self._socket}: it is ending, or does not let this user in.") from None
        try:
            if status >= 400:
                raise DaemonRefused(msgspec.json.decode(content, type=_Refusal).detail, status=status)
            return msgspec.json.decode(content, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DaemonRefused(
                f"hsadmin on {self._socket} gave an answer that this hsadmin does not understand; do their versions differ?"
            ) from None

    async def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        response = await self._client.request(method, f"http://localhost{path}", headers=JSON if body else None, data=body)
        return response.code, await response.content()


def why(socket: Path, failed: ConnectError) -> str:
    """Why nobody could be asked, in a sentence; `osError` is the number that the system gave."""
    if failed.osError in {errno.EACCES, errno.EPERM}:
        return f"{socket} is not for this user: only the user that runs hsadmin, and root, may use it."
    return f"hsadmin is not running: nobody answers on {socket}."


@implementer(IAgentEndpointFactory)
class _Here:
    """Whatever the URL says, the socket."""

    def __init__(self, reactor: Any, socket: Path) -> None:
        self._reactor = reactor
        self._path = os.fspath(socket)

    def endpointForURI(self, uri: URI) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(self._reactor, self._path, timeout=CONNECT)
