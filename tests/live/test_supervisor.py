"""The real headscale under the Supervisor: it comes, it dies, it is back, it goes; and what a killed hsadmin left is found."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hsadmin.engine.supervisor import Supervisor
from hsadmin.headscale.link import Link
from hsadmin.model.engine import Phase
from tests.engine.running import RunningCase, free_port, reactor, runs, sleep

# What stands in for a hsadmin that is killed: it spawns with the Supervisor, says what it spawned, and waits.
PARENT = """
import sys, json
from pathlib import Path
from twisted.internet import reactor
from tests.engine import running
case = running.RunningCase("setUp")
case.folder, case.socket, case.states, case.checks = Path(sys.argv[1]), Path(sys.argv[2]), [], ()
case.binary, case.config, case.port = Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5])
supervisor = case.supervise()
def told(state):
    if state.phase == "ready":
        sys.stdout.write(json.dumps(state.pid) + chr(10))
        sys.stdout.flush()
supervisor.watch(told)
reactor.callWhenRunning(supervisor.startService)
reactor.run()
"""


class RealHeadscaleTests(RunningCase):
    def setUp(self) -> None:
        super().setUp()
        binary = os.environ.get("HSADMIN_HEADSCALE", "")
        if not os.access(binary, os.X_OK):
            self.fail("HSADMIN_HEADSCALE must name the headscale binary to test with.")
        self.binary = Path(binary)
        self.port, self.metrics, self.stun = free_port(), free_port(), free_port(socket.SOCK_DGRAM)
        self.config = self.folder / "headscale.yaml"
        self.configure()

    def configure(self, **changed: Any) -> None:
        settings = {
            "server_url": f"http://127.0.0.1:{self.port}",
            "listen_addr": f"127.0.0.1:{self.port}",
            "metrics_listen_addr": f"127.0.0.1:{self.metrics}",
            "grpc_listen_addr": "127.0.0.1:0",
            "unix_socket": str(self.socket),
            "unix_socket_permission": "0600",
            "noise": {"private_key_path": str(self.folder / "noise.key")},
            "prefixes": {"v4": "100.64.0.0/10", "v6": "fd7a:115c:a1e0::/48"},
            "derp": {
                "server": {
                    "enabled": True,
                    "region_id": 999,
                    "region_code": "hsadmin",
                    "region_name": "hsadmin",
                    "private_key_path": str(self.folder / "derp.key"),
                    "stun_listen_addr": f"127.0.0.1:{self.stun}",
                    "automatically_add_embedded_derp_region": True,
                },
                "urls": [],
                "paths": [],
            },
            "database": {"type": "sqlite", "sqlite": {"path": str(self.folder / "db.sqlite")}},
            "dns": {"magic_dns": True, "base_domain": "tailnet.internal", "nameservers": {"global": []}, "override_local_dns": False},
            "policy": {"mode": "database"},
            "log": {"level": "info", "format": "json"},
            "disable_check_updates": True,
            **changed,
        }
        self.config.write_text(json.dumps(settings))

    def started(self, **more: Any) -> Supervisor:
        link = Link(reactor, now=time.time)
        self.checks = (link.healthy,)
        supervisor = self.supervise(connect=lambda launch: link.up(launch.socket_path), disconnect=link.down, inspect=link.drift, **more)
        supervisor.startService()
        return supervisor

    def orphaned(self) -> int:
        """The process id of a headscale that is ready and whose hsadmin was killed."""
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, *map(str, (self.folder, self.socket, self.binary, self.config, self.port))],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        parent.stdout.close()
        return orphan

    async def broken(self) -> str:
        """Starts one that cannot start, and tells the code of its problem."""
        supervisor = self.started()
        await self.until(lambda: supervisor.state().phase in {Phase.BACKING_OFF, Phase.CRASH_LOOP}, 50, "seen")
        code = supervisor.state().code
        await supervisor.stopService()
        return code

    async def test_ready_killed_ready_stopped(self) -> None:
        supervisor = self.started()
        first = await self.ready(supervisor, seconds=50)
        assert first.pid is not None
        self.assertEqual((first.warnings, first.reason), ((), ""))
        killed = time.monotonic()
        os.kill(first.pid, signal.SIGKILL)
        second = await self.ready(supervisor, starts=2, seconds=50)
        assert second.pid is not None
        seen = next(when for when, state in self.states if state.phase is Phase.BACKING_OFF)
        self.assertLess(seen - killed, 1)
        await supervisor.stopService()
        self.assertEqual(supervisor.state().last_lines[-1], "info Headscale stopped")
        self.assertFalse(runs(first.pid) or runs(second.pid))
        self.assertEqual(
            [path.name for path in self.folder.iterdir() if path.suffix in {".sock", ".pid"} or path.name.endswith("-wal")], []
        )

    async def test_a_stop_on_its_last_line_is_in_order(self) -> None:
        """SIGTERM on that line kills it 13 times in 15: ours waits."""
        for _ in range(5):
            supervisor = self.started()
            await self.said(supervisor, "debug and metrics", seconds=50)
            await supervisor.stopService()
            self.assertEqual(supervisor.state().last_lines[-1], "info Headscale stopped")

    async def test_a_restart_keeps_its_data(self) -> None:
        supervisor = self.started()
        first = await self.ready(supervisor, seconds=50)
        await supervisor.restart()
        second = await self.ready(supervisor, starts=2, seconds=50)
        self.assertNotEqual(first.pid, second.pid)
        self.assertEqual((second.restarts, second.reason), (0, ""))

    async def test_what_a_killed_hsadmin_left_is_ended_first(self) -> None:
        orphan = self.orphaned()
        self.assertTrue(runs(orphan))
        supervisor = self.started()
        state = await self.ready(supervisor, seconds=50)
        self.assertFalse(runs(orphan))
        self.assertEqual((state.starts, state.restarts, state.reason), (1, 0, ""))

    async def test_ctrl_c_reaches_it_too(self) -> None:
        supervisor = self.started()
        state = await self.ready(supervisor, seconds=50)
        assert state.pid is not None
        await sleep(0.1)
        supervisor.stopping()
        os.kill(state.pid, signal.SIGINT)
        await self.until(lambda: supervisor.state().phase is Phase.STOPPED, 20, "stopped")
        await supervisor.stopService()
        self.assertEqual((supervisor.state().starts, supervisor.state().reason), (1, ""))

    async def test_its_own_words_are_understood(self) -> None:
        """The catalogue of faults, against the binary whose words they are."""
        database = self.folder / "db.sqlite"
        database.write_bytes(os.urandom(9000))
        self.assertEqual(await self.broken(), "engine.database-damaged")
        database.unlink()

        supervisor = self.started()
        await self.ready(supervisor, seconds=50)
        await supervisor.stopService()
        for statement, code in (
            ("CREATE TABLE mine (x)", "engine.schema-altered"),
            ("DROP TABLE mine", ""),
            ("INSERT INTO policies (data) VALUES ('{bad')", "engine.policy-refused"),
            ("DELETE FROM policies", ""),
            ("UPDATE database_versions SET version = 'v0.31.0'", "engine.database-newer"),
            ("UPDATE database_versions SET version = 'v0.27.0'", "engine.database-too-old"),
            ("UPDATE database_versions SET version = 'v0.29.3'", ""),
        ):
            with sqlite3.connect(database) as connection:
                connection.execute(statement)
            connection.close()
            if code:
                self.assertEqual(await self.broken(), code, statement)

        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            self.configure(listen_addr=f"127.0.0.1:{busy.getsockname()[1]}")
            self.assertEqual(await self.broken(), "engine.port-busy")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
            busy.bind(("127.0.0.1", self.stun))
            self.configure()
            self.assertEqual(await self.broken(), "engine.stun-busy")
        for code, changed in (
            ("engine.config-invalid", {"server_url": "ftp://x"}),
            ("engine.config-invalid", {"dns": {"magic_dns": True, "base_domain": ""}}),
            ("engine.derp-map", {"derp": {"server": {"enabled": False}, "urls": [], "paths": []}}),
            ("engine.socket-failed", {"unix_socket": f"{self.folder}/{'x' * 120}.sock"}),
            ("engine.address-unusable", {"listen_addr": "203.0.113.9:80"}),
        ):
            self.configure(**changed)
            self.assertEqual(await self.broken(), code)
        self.config.write_text("server_url: [")
        self.assertEqual(await self.broken(), "engine.config-unreadable")
