"""hsadmin as users start it: `twistd hsadmin --config FILE`, which supervises a headscale that is really our upstream.

The supervised child is found by its program; it and what is below it are never counted as hsadmin's own.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.fronts import Place
from bench.processes import HOST, Child, NotStarted, free_port, runs, tree, until
from bench.tools import HERE, NAME

PROBE = HERE / "probe"
COLLECT, WORK = signal.SIGRTMIN + 1, signal.SIGRTMIN + 2
ROOT = HERE.parents[1]
_FAKE = """#!/bin/sh
# The headscale of a benchmark: it says what hsadmin asks, and serves with the benchmark's upstream.
case "$1" in
  version) echo '{{"version": "{version}"}}' ;;
  configtest) ;;
  serve) exec {upstream} {options} -config "$3" ;;
  *) echo "Error: unknown command \\"$1\\" for \\"headscale\\"" >&2; exit 1 ;;
esac
"""
# Asked in the tree that is measured: which headscale it wants, and how many workers it would take.
_ASK = """
import json, sys
from pathlib import Path
from hsadmin.config import Options, load
from hsadmin.errors import Problem
config = load(Path(sys.argv[1]), Options(cwd=Path.cwd(), work_dir=None, listen=()))
print(json.dumps({"version": config.headscale.version}))
"""


class Product:
    """One hsadmin. `source` is the tree it runs from; `journal`: its upstream remembers what reached it; `probe`: see probe/."""

    def __init__(self, place: Place, *, workers: int = 0, source: Path = ROOT, journal: bool = False, probe: bool = False) -> None:
        self._place, self._room = place, place.room("w")
        self._path = os.pathsep.join(map(str, [source, *([PROBE] if probe else [])]))
        self._is_upstream = runs(place.programs.upstream)
        self.port, self._local_port = free_port(), free_port()
        self.config = self._room / "hsadmin.yaml"
        self.config.write_text(json.dumps(self._settings(workers)))
        fake = self._room / "headscale"
        upstream = shlex.quote(str(place.programs.upstream))
        fake.write_text(_FAKE.format(version="v" + self._asked()["version"], upstream=upstream, options="-journal" if journal else ""))
        fake.chmod(0o755)
        command: list[str | Path] = [Path(sys.executable).parent / "twistd", "--nodaemon", "--pidfile=", "hsadmin", "--config", self.config]
        env = {"PYTHONPATH": self._path, **({"BENCH_PROBE": str(self._room)} if probe else {})}
        self._child = Child(command, self._room / "front.log", env=env, cwd=self._room)
        try:
            until(self._ready, 60, "hsadmin to be ready")
        except BaseException as fault:
            said = self.log()
            self.stop()
            if isinstance(fault, NotStarted):
                raise NotStarted(f"{fault}; it said:\n{said}") from None
            raise

    def _settings(self, workers: int) -> dict[str, Any]:
        """JSON is YAML. The limits are raised for what comes from one address; everything else is as it is for users."""
        return {
            "work_dir": str(self._room / "w"),
            "server": {
                "public_url": f"https://{NAME}:{self.port}",
                "listen": [f"tcp:{self.port}:interface={HOST}"],
                "local_listen": [f"tcp:{self._local_port}:interface={HOST}"],
            },
            "tls": {"mode": "files", "cert": str(self._place.cert), "key": str(self._place.key)},
            "headscale": {"binary": str(self._room / "headscale")},
            "front": {"workers": workers},
            "limits": {"connections_per_source": 1_000_000, "connections_total": 20_000},
            "log": {"file": str(self._room / "hsadmin.log")},
        }

    def _asked(self) -> dict[str, Any]:
        """Raises NotStarted when this tree refuses the configuration."""
        command = [sys.executable, "-P", "-c", _ASK, str(self.config)]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": self._path}, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(self._room, ignore_errors=True)
            raise NotStarted(done.stderr.strip().rpartition("\n")[2])
        return dict(json.loads(done.stdout))

    def _ready(self) -> bool:
        if self._child.process.poll() is not None:
            raise NotStarted("hsadmin ended")
        return self.readiness() == 200

    def readiness(self) -> int:
        """The status of /readyz; 0 when nobody answers."""
        connection = http.client.HTTPConnection(HOST, self._local_port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        return 0

    def log(self) -> str:
        with contextlib.suppress(OSError):
            return self._child.said() + (self._room / "hsadmin.log").read_text(errors="replace")[-3000:]
        return self._child.said()

    # — processes —

    def pids(self) -> list[int]:
        """The main process first, then its workers."""
        return tree(self._child.pid, without=self._is_upstream)

    def supervised(self) -> list[int]:
        own = set(self.pids())
        return [pid for pid in tree(self._child.pid) if pid not in own]

    def restart_upstream(self) -> None:
        for pid in self.supervised():
            if self._is_upstream(pid):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self._child.stop(30)
        shutil.rmtree(self._room, ignore_errors=True)

    # — what only the checks and the probe ask —

    @property
    def upstream_port(self) -> int:
        """headscale's loopback port, as hsadmin chose it."""
        found = re.search(r"^listen_addr:.*:(\d+)", (self._room / "w" / "headscale" / "headscale.yaml").read_text(), re.MULTILINE)
        if found is None:
            raise NotStarted("headscale.yaml has no listen_addr")
        return int(found[1])

    def journal(self) -> list[dict[str, Any]]:
        """What reached the upstream since this was last asked."""
        connection = http.client.HTTPConnection(HOST, self.upstream_port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/bench/journal")
            return json.load(connection.getresponse()) or []

    def collect(self, pid: int) -> float | None:
        """Milliseconds of one full garbage collection in that process of ours; None when it has no probe."""
        answer = self._room / f"gc.{pid}"
        answer.unlink(missing_ok=True)
        if not signalled(pid, COLLECT):
            return None
        until(answer.exists, 10, "a garbage collection")
        return float(answer.read_text())

    def work(self) -> bool:
        """Begins 50 ms of Python work in the main process; False when it has no probe."""
        return signalled(self._child.pid, WORK)


def signalled(pid: int, number: int) -> bool:
    """Sends a signal to a process that catches it; any other it would end."""
    found = re.search(r"^SigCgt:\s+([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    if found is None or not int(found[1], 16) >> (number - 1) & 1:
        return False
    os.kill(pid, number)
    return True
