"""The fronts that are compared: each is started on a port of its own before an upstream, and says which processes are its own.

A front is made by a `Kind` and used as a context manager; leaving it ends everything that was started.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Protocol

from bench.processes import HOST, Child, free_port, tree
from bench.tools import HERE, Programs


class Front(Protocol):
    """One front that runs. `supervised`: processes beside it that belong to the upstream's side."""

    port: int

    def pids(self) -> list[int]: ...

    def supervised(self) -> list[int]: ...

    def restart_upstream(self) -> None:
        """SIGKILL to the upstream; it runs again, or is on its way, when this returns."""

    def stop(self) -> None: ...


Kind = Callable[[], Front]


class Place:
    """Where a run happens: its folder, programs and certificate."""

    def __init__(self, folder: Path, programs: Programs, nginx: Path | None, pair: tuple[Path, Path]) -> None:
        self.folder, self.programs, self.nginx = folder, programs, nginx
        self.cert, self.key = pair

    def room(self, name: str) -> Path:
        """A folder for one front, short enough for Unix sockets."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))


class _Upstream:
    """The upstream by itself, for fronts that do not start one."""

    def __init__(self, place: Place, room: Path, *, tls_port: int = 0) -> None:
        self.port = free_port()
        self._command: list[str | Path] = [place.programs.upstream, "-addr", f"{HOST}:{self.port}"]
        if tls_port:
            self._command += ["-tls", f"{HOST}:{tls_port}", "-cert", place.cert, "-key", place.key]
        self._log = room / "upstream.log"
        self.child = self._start()

    def _start(self) -> Child:
        child = Child(self._command, self._log)
        child.until_listening(self.port)
        return child

    def restart(self) -> None:
        self.child.kill()
        self.child = self._start()


class _Foreign:
    """A front that is one program before an upstream of its own."""

    def __init__(self, place: Place, name: str, command: Callable[[Path, int, int], list[str | Path]]) -> None:
        self._room = place.room(name)
        self._upstream = _Upstream(place, self._room)
        self.port = free_port()
        try:
            self._child = Child(command(self._room, self.port, self._upstream.port), self._room / "front.log")
            self._child.until_listening(self.port)
        except BaseException:
            self._upstream.child.stop()
            raise

    def pids(self) -> list[int]:
        return tree(self._child.pid)

    def supervised(self) -> list[int]:
        return []

    def restart_upstream(self) -> None:
        self._upstream.restart()

    def stop(self) -> None:
        self._child.stop()
        self._upstream.child.stop()
        shutil.rmtree(self._room, ignore_errors=True)


def nginx(place: Place, *, tuned: bool = False) -> Front:
    """As people run it; tuned: with larger buffers for what is proxied, which costs memory per tunnel."""

    def command(room: Path, port: int, upstream: int) -> list[str | Path]:
        assert place.nginx is not None
        more = "proxy_buffer_size 64k; proxy_buffers 4 64k; proxy_busy_buffers_size 64k;" if tuned else ""
        text = Template((HERE / "nginx.conf.in").read_text()).substitute(
            user="user root;" if os.geteuid() == 0 else "",
            folder=room,
            listen=f"{HOST}:{port}",
            upstream=f"{HOST}:{upstream}",
            cert=place.cert,
            key=place.key,
            more=more,
        )
        (room / "nginx.conf").write_text(text)
        return [place.nginx, "-p", room, "-e", room / "error.log", "-c", room / "nginx.conf"]

    return _Foreign(place, "nginx", command)


def goproxy(place: Place) -> Front:
    def command(room: Path, port: int, upstream: int) -> list[str | Path]:
        target = f"http://{HOST}:{upstream}"
        files: list[str | Path] = ["-cert", place.cert, "-key", place.key, "-log", room / "access.log"]
        return [place.programs.goproxy, "-addr", f"{HOST}:{port}", "-upstream", target, *files]

    return _Foreign(place, "goproxy", command)


class Direct:
    """No front: the upstream speaks TLS itself. Latencies only, since nothing between is left to be counted."""

    def __init__(self, place: Place) -> None:
        self._room = place.room("direct")
        self.port = free_port()
        self._upstream = _Upstream(place, self._room, tls_port=self.port)
        self._upstream.child.until_listening(self.port)

    def pids(self) -> list[int]:
        return []

    def supervised(self) -> list[int]:
        return []

    def restart_upstream(self) -> None:
        self._upstream.restart()

    def stop(self) -> None:
        self._upstream.child.stop()
        shutil.rmtree(self._room, ignore_errors=True)
