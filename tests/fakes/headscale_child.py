"""FakeHeadscale: an executable that behaves as headscale 0.29.3 does towards whoever runs it, and misbehaves on request.

`install(folder)` writes the executable; `configure(executable, …)` says how its next starts behave, and health also while it runs:

    version        what `version -o json` answers (default v0.29.3)
    slow           seconds before it listens
    never_ready    listens to nothing, says nothing more
    quiet          does not print the last line of its start (as with log.level warn)
    health         status of GET /health, read anew at each request
    fatal          a name of FATAL: says those words and exits as the real one
    fatal_starts   only for its first so many starts
    crash_after    seconds from ready to exit status 2 with a panic
    deaf           ignores TERM, INT and QUIT
    binary, huge   prints bytes that are no text; a line of so many bytes
    grandchild     seconds that a process of its own keeps its pipes open
    listener_dies  seconds from ready to its HTTP listener's end, the process lingers
    grpc_late      seconds for which gRPC answers no Health
    grpc           serves an empty tailnet of tests.fakes.headscale_grpc on the Unix socket; else that only accepts

Like the real one it replaces a stale socket without looking, and dies by any signal that comes before the end of its start.
"""

from __future__ import annotations

import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VERSION = "v0.29.3"
SETTLING = 0.003  # the real one installs its handlers up to 5 ms after its last line


class Fatal(NamedTuple):
    """How a fault shows; `out` and `err` are whole texts, `status` the exit status."""

    out: str = ""
    err: str = ""
    status: int = 1


_STATE = "Error: initializing: creating new headscale: init state: "
_SHUT_DOWN = "Error: headscale ran into an error and had to shut down: "


def _fatal_line(message: str) -> str:
    return json.dumps({"level": "fatal", "time": 1795459947, "message": message}) + "\n"


FATAL: Mapping[str, Fatal] = {
    "yaml": Fatal(
        err="2026-11-23T18:52:27Z FTL ../../cmd/headscale/cli/root.go:49 > error loading config file /w/headscale.yaml "
        'error="fatal error reading config file: While parsing config: yaml: line 18: mapping values are not allowed in this context"\n'
    ),
    "no-file": Fatal(
        err="2026-11-23T18:52:46Z FTL ../../cmd/headscale/cli/root.go:49 > error loading config file /w/headscale.yaml "
        'error="fatal error reading config file: open /w/headscale.yaml: permission denied"\n'
    ),
    "magic-dns": Fatal(out=_fatal_line("dns.base_domain must be set when using MagicDNS (dns.magic_dns)")),
    "removed-key": Fatal(
        out=_fatal_line('\nFATAL: The "dns_config" configuration key has been removed. Please see the changelog for more details.\n')
    ),
    "database-type": Fatal(out=_fatal_line('invalid database type "mysql", must be sqlite, sqlite3 or postgres')),
    "server-url": Fatal(
        err="Error: initializing: loading configuration: Fatal config error: server_url must start with https:// or http://\n"
    ),
    "database-newer": Fatal(
        err=f"{_STATE}initializing database: version check: headscale version v0.29.3 cannot be used with a database last used by v0.31.0, "
        "downgrading to a previous minor version is not supported, release page: https://github.com/juanfont/headscale/releases: "
        "version downgrade not supported\n"
    ),
    "database-too-old": Fatal(
        err=f"{_STATE}initializing database: version check: headscale version v0.29.3 cannot be used with a database last used by v0.26.1, "
        "upgrading more than one minor version at a time is not supported, please upgrade to the latest v0.27.x release first, "
        "then to v0.29.3, release page: https://github.com/juanfont/headscale/releases: version upgrade not supported\n"
    ),
    "schema": Fatal(
        out='SQLite schema failed to validate:\n\n>> Remove table "mine"\n\n',
        err=f'{_STATE}initializing database: validating schema: invalid schema (-got, +want):\n\n>> Remove table "mine"\n\n',
    ),
    "damaged": Fatal(err=f"{_STATE}initializing database: file is not a database (26)\n"),
    "disk-full": Fatal(err=f"{_STATE}initializing database: database or disk is full (13)\n"),
    "file-limit": Fatal(err=f"{_STATE}initializing database: version check: creating database version table: disk I/O error (4874)\n"),
    "unwritable": Fatal(err=f"{_STATE}initializing database: unable to open database file: out of memory (14)\n"),
    "locked": Fatal(err=f"{_STATE}initializing database: database is locked (5) (SQLITE_BUSY)\n"),
    "migration": Fatal(err=f"{_STATE}initializing database: running migrations: no such column: x\n"),
    "policy": Fatal(
        err=f"{_STATE}initializing policy manager: parsing policy: parsing HuJSON: hujson: line 1, column 2: invalid literal: bad\n"
    ),
    "ambiguous": Fatal(
        err=f"{_STATE}initializing policy manager: validating policy user references: "
        'multiple users found: token "alice@" found: [ 1: alice, 4: alice,  ]\n'
    ),
    "policy-file": Fatal(err=f"{_STATE}loading policy: open /w/policy.hujson: no such file or directory\n"),
    "oidc": Fatal(
        err="Error: initializing: creating new headscale: creating OIDC provider from issuer config: "
        'Get "http://127.0.0.1:1/.well-known/openid-configuration": dial tcp 127.0.0.1:1: connect: connection refused\n'
    ),
    "key": Fatal(
        err="Error: initializing: creating new headscale: reading or creating Noise protocol private key: "
        "parsing private key: key hex string doesn't have expected type prefix privkey:\n"
    ),
    "derp-empty": Fatal(err=f"{_SHUT_DOWN}initial DERPMap is empty, Headscale requires at least one entry\n"),
    "derp-url": Fatal(err=f'{_SHUT_DOWN}getting DERPMap: Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused\n'),
    "port": Fatal(err=f"{_SHUT_DOWN}binding to TCP address: listen tcp 127.0.0.1:8080: bind: address already in use\n"),
    "address": Fatal(err=f"{_SHUT_DOWN}binding to TCP address: listen tcp 203.0.113.9:8080: bind: cannot assign requested address\n"),
    "stun": Fatal(out=_fatal_line("failed to open STUN listener: listen udp 127.0.0.1:3478: bind: address already in use")),
    "socket": Fatal(err=f"{_SHUT_DOWN}setting up gRPC socket: listen unix /w/{'x' * 120}/h.sock: bind: invalid argument\n"),
    "extra-records": Fatal(
        err=f"{_SHUT_DOWN}setting up extrarecord manager: getting file info: stat /w/extra.json: no such file or directory\n"
    ),
    "panic": Fatal(
        err="panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation]\n\n"
        "goroutine 1 [running]:\nmain.main()\n" + "\t/src/main.go:10 +0x1d\n" * 300,
        status=2,
    ),
    "memory": Fatal(err="fatal error: runtime: out of memory\n\nruntime stack:\n", status=2),
    "reserve": Fatal(err="fatal error: failed to reserve page summary memory\n", status=2),
    "stack": Fatal(
        err="runtime: goroutine stack exceeds 1000000000-byte limit\nfatal error: stack overflow\n\nruntime stack:\n",
        status=2,
    ),
    "other": Fatal(err=f"{_SHUT_DOWN}the moon is in the wrong house\n"),
}


def install(folder: Path, name: str = "headscale", **behaviour: Any) -> Path:
    """Writes the executable into `folder`."""
    path = folder / name
    path.write_text(
        f"#!{sys.executable} -B\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        f"from tests.fakes import headscale_child\nsys.exit(headscale_child.main({str(path)!r}, sys.argv[1:]))\n"
    )
    path.chmod(0o755)
    configure(path, **behaviour)
    return path


def configure(executable: Path, **behaviour: Any) -> None:
    """Replaces its behaviour."""
    draft = executable.with_suffix(".behaviour.new")
    draft.write_text(json.dumps(behaviour))
    draft.replace(executable.with_suffix(".behaviour"))


def configuration(folder: Path, port: int, socket_path: Path) -> Path:
    """A headscale.yaml with what this child reads."""
    path = folder / "headscale.yaml"
    path.write_text(
        f"listen_addr: 127.0.0.1:{port}\nmetrics_listen_addr: ''\nunix_socket: {socket_path}\nlog: {{level: info, format: json}}\n"
    )
    return path


def main(executable: str, arguments: list[str]) -> int:
    behaviour: dict[str, Any] = json.loads(Path(executable).with_suffix(".behaviour").read_text())
    match arguments:
        case ["version", *_]:
            answer = {"version": behaviour.get("version", VERSION), "commit": "unknown", "go": {"version": "go1.26.8"}}
            return _die(Fatal(out=json.dumps(answer) + "\n", status=0))
        case ["configtest", *_]:
            return _configtest(behaviour)
        case ["serve", "-c", path] | ["-c", path, "serve"]:
            return Serve(Path(executable), Path(path), behaviour).run()
        case _:
            return _die(Fatal(err=f'Error: unknown command "{" ".join(arguments)}" for "headscale"\n'))


def _say(message: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"level": "info", **fields, "time": int(time.time()), "message": message}) + "\n")
    sys.stdout.flush()


def _die(fatal: Fatal) -> int:
    sys.stdout.write(fatal.out)
    sys.stdout.flush()
    sys.stderr.write(fatal.err)
    sys.stderr.flush()
    return fatal.status


def _configtest(behaviour: Mapping[str, Any]) -> int:
    _say("Opening database", database="sqlite3")
    return _die(FATAL[behaviour["fatal"]]) if "fatal" in behaviour else 0


class Serve:
    """One `headscale serve`."""

    def __init__(self, executable: Path, config: Path, behaviour: dict[str, Any]) -> None:
        import yaml  # noqa: PLC0415 - only this subcommand needs it

        self._executable = executable
        self._behaviour = behaviour
        self._config: dict[str, Any] = yaml.safe_load(config.read_text())
        self._socket = Path(self._config["unix_socket"])
        self._stop = threading.Event()
        self._closers: list[Callable[[], Any]] = []

    def run(self) -> int:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        behaviour = self._behaviour
        starts = self._count()
        _say("Opening database", database="sqlite3", path="db.sqlite")
        if "fatal" in behaviour and starts <= behaviour.get("fatal_starts", starts):
            return _die(FATAL[behaviour["fatal"]])
        self._noise()
        _say("starting headscale", version=VERSION, commit="unknown")
        _say("Clients with a lower minimum version will be rejected", minimum_version="v1.80")
        if behaviour.get("never_ready"):
            threading.Event().wait()
        time.sleep(behaviour.get("slow", 0))
        self._listen()
        if not behaviour.get("quiet"):
            _say("metrics server disabled (metrics_listen_addr is empty)")
        time.sleep(SETTLING)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._told)
        signal.signal(signal.SIGHUP, lambda _number, _frame: _say("Received SIGHUP, reloading ACL policy", signal="hangup"))
        if "crash_after" in behaviour and not self._stop.wait(behaviour["crash_after"]):
            return _die(FATAL["panic"])
        self._stop.wait()
        for close in self._closers:
            close()
        self._socket.unlink(missing_ok=True)
        time.sleep(0.008)
        _say("Headscale stopped")
        return 0

    def _told(self, number: int, _frame: FrameType | None) -> None:
        _say("Received signal to stop, shutting down gracefully", signal=signal.Signals(number).name)
        if not self._behaviour.get("deaf"):
            self._stop.set()

    def _count(self) -> int:
        path = self._executable.with_suffix(".starts")
        starts = int(path.read_text()) + 1 if path.exists() else 1
        path.write_text(str(starts))
        return starts

    def _noise(self) -> None:
        if self._behaviour.get("binary"):
            sys.stdout.buffer.write(b"\x00\xff\xfe\x1b[31mred\x1b[0m\x07\n")
        if "huge" in self._behaviour:
            sys.stdout.buffer.write(b"x" * int(self._behaviour["huge"]) + b"\n")
        sys.stdout.flush()
        if "grandchild" in self._behaviour:
            subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({float(self._behaviour['grandchild'])})"])

    def _listen(self) -> None:
        self._socket.unlink(missing_ok=True)
        if self._behaviour.get("grpc"):
            from tests.fakes.headscale_grpc import FakeHeadscale, GrpcServer  # noqa: PLC0415 - gRPC is slow to import

            fake = FakeHeadscale()
            if "grpc_late" in self._behaviour:
                threading.Timer(float(self._behaviour["grpc_late"]), fake.hold("Health").set).start()
            self._closers.append(GrpcServer(fake, self._socket).stop)
        else:
            plain = socket.socket(socket.AF_UNIX)
            plain.bind(str(self._socket))
            plain.listen()
            self._closers.append(plain.close)
        host, _, port = self._config["listen_addr"].rpartition(":")
        try:
            server = http.server.ThreadingHTTPServer((host, int(port)), self._handler())
        except OSError as fault:
            words = (fault.strerror or "").lower()
            sys.exit(_die(Fatal(err=f"{_SHUT_DOWN}binding to TCP address: listen tcp {host}:{port}: bind: {words}\n")))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self._closers.append(server.shutdown)
        _say(f"listening and serving HTTP on: {self._config['listen_addr']}")
        if "listener_dies" in self._behaviour:

            def die() -> None:
                server.shutdown()
                server.server_close()

            threading.Timer(self._behaviour["listener_dies"], die).start()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        behaviour = self._executable.with_suffix(".behaviour")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status = json.loads(behaviour.read_text()).get("health", 200) if self.path == "/health" else 404
                body = b'{"status":"pass"}\n' if status == 200 else b'{"status":"fail"}\n'
                self.send_response(status)
                self.send_header("Content-Type", "application/health+json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Not a word on stderr."""

        return Handler
