"""The two listeners: console.sock, which the front forwards to, and admin.sock, which only the command line on this machine uses.

Reaching console.sock grants nothing, each request is judged by the guard. Reaching admin.sock does grant: so it is never an upstream of
the front, and the kernel must name our own uid, or root, as the peer.
"""

from __future__ import annotations

import os
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.tcp import Port as TCPPort
from twisted.internet.unix import Port as UNIXPort
from twisted.python.failure import Failure
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from hsadmin.console.api import CALLS, LOCAL_CALLS
from hsadmin.console.app import build
from hsadmin.console.door import Door
from hsadmin.console.guard import Rules
from hsadmin.console.neighbours import Neighbours
from hsadmin.console.openapi import described
from hsadmin.console.peer import OnlyUids, Tracked, peer_uid
from hsadmin.console.static import Files
from hsadmin.errors import ListenFailed
from hsadmin.model.layout import LONGEST_SOCKET_PATH, socket_path_bytes

ASSETS = Path(__file__).parent / "assets"
BODY_LIMIT = max(call.body_limit for call in (*CALLS, *LOCAL_CALLS))
PATIENCE = 2.0  # seconds that a peer gets to read what was already written when we stop


def random_id() -> str:
    return secrets.token_hex(8)


def console_site(
    reactor: Any, path: Path, near: Neighbours, *, auth_disabled: bool, assets: Path = ASSETS, new_id: Callable[[], str] = random_id
) -> UnixSite:
    """The service behind console.sock."""
    rules = Rules(auth_disabled=auth_disabled, scheme=near.public_url.partition("://")[0])
    door = Door(build(described(CALLS), near, rules), rules, new_id=new_id, files=Files(assets))
    return UnixSite(reactor, path, door)


def admin_site(
    reactor: Any,
    path: Path,
    near: Neighbours,
    *,
    new_id: Callable[[], str] = random_id,
    uid_of: Callable[[socket.socket], int] = peer_uid,
) -> UnixSite:
    """The service behind admin.sock: for our own uid and root."""
    rules = Rules(auth_disabled=False, local=True)
    door = Door(build(LOCAL_CALLS, near, rules), rules, new_id=new_id)
    return UnixSite(reactor, path, door, admits=OnlyUids(frozenset({0, os.getuid()}), uid_of))


class UnixSite(Service):
    """HTTP on a Unix socket of mode 0600. A stop ends every connection: a handler under way is cancelled, as when its browser goes away."""

    def __init__(self, reactor: Any, path: Path, resource: Resource, *, admits: Callable[[Any], bool] = lambda transport: True) -> None:
        self._reactor = reactor
        self._path = path
        self._connections = Tracked(_QuietSite(resource, reactor=reactor), admits)
        self._port: _Port | None = None

    def startService(self) -> None:
        """Listens once this returns. Raises ListenFailed."""
        make_way(self._path)
        try:
            with _umask(0o177):
                self._port = _Port(self._path, self._connections, self._reactor)
                self._port.startListening()
        except CannotListenError as failed:
            self._port = None
            raise ListenFailed(f"{self._path} cannot be listened on: {_words(failed.socketError)}.") from None
        Service.startService(self)

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._port is None:
            return
        port, self._port = self._port, None
        await maybeDeferred(port.stopListening)
        await self._connections.closed(self._reactor, PATIENCE)


def make_way(path: Path) -> None:
    """Removes a socket that a killed hsadmin left at `path`. Raises ListenFailed when somebody answers there, or it is not a socket of ours."""
    if socket_path_bytes(path) > LONGEST_SOCKET_PATH:
        raise ListenFailed(f"{path} is too long for a Unix socket: at most {LONGEST_SOCKET_PATH} bytes. Choose a shorter work_dir.")
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ListenFailed(f"{path} is in the way: it is not a socket. Remove it.")
        if _answers(path):
            raise ListenFailed(f"{path} is in use: another program listens on it.")
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as failed:
        raise ListenFailed(f"{path} cannot be looked at or removed: {_words(failed)}.") from None


def _answers(path: Path) -> bool:
    """Connecting to a Unix socket needs no waiting: it is refused when nobody listens, and done, or EAGAIN, when somebody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            return True
        return True


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    """A bind makes the file before its mode can be set; within this it never has more than it ends with."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _words(failed: object) -> str:
    return os.strerror(failed.errno) if isinstance(failed, OSError) and failed.errno else str(failed)


class _Port(UNIXPort):
    """Twisted's own removes whatever is at its path when it stops, and fails half-way, its socket still open, when nothing is there."""

    def __init__(self, path: Path, factory: Tracked, reactor: Any) -> None:
        UNIXPort.__init__(self, os.fsencode(path), factory, mode=0o600, reactor=reactor)
        self._path = path
        self._made: tuple[int, int] | None = None

    def startListening(self) -> None:
        UNIXPort.startListening(self)
        self._made = self._found()

    def connectionLost(self, reason: Failure) -> None:
        if self._made is not None and self._made == self._found():
            self._path.unlink()
        TCPPort.connectionLost(self, reason)

    def _found(self) -> tuple[int, int] | None:
        try:
            status = self._path.lstat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


class BoundedRequest(Request):
    """Keeps no more of a body than any call takes; the call then sees that it is longer than its limit and says so."""

    kept = 0

    def handleContentChunk(self, data: bytes) -> None:
        room = BODY_LIMIT + 1 - self.kept
        self.kept += len(data)
        if room > 0:
            HTTPRequest.handleContentChunk(self, data[:room])


class _QuietSite(Site):
    """A Site without an access log (the front writes that) and without a second opinion on forms."""

    noisy = False

    def __init__(self, resource: Resource, *, reactor: Any) -> None:
        Site.__init__(self, resource, requestFactory=BoundedRequest, parsePOSTFormSubmission=False, timeout=60, reactor=reactor)

    def startFactory(self) -> None:
        """Opens no log."""

    def log(self, request: HTTPRequest) -> None:
        """Writes none."""
