"""A whole tailnet for a test: `twistd hsadmin` as users start it, real tailscale clients, and what they say of themselves."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from tests.fakes.noise import Server

Found = TypeVar("Found")
REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent


def part(name: str) -> str:
    """The path of a real part, from the environment."""
    path = os.environ.get(name, "")
    if not os.access(path, os.X_OK):
        raise AssertionError(f"{name} must name the binary to test with; contrib/test builds it and sets this.")
    return path


def until(found: Callable[[], Found | None], seconds: float, what: str, *, every: float = 0.05) -> Found:
    """The first true answer within `seconds`, or a failure that says what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds} s in vain for {what}.")
        time.sleep(every)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    """Whether a process runs; one that is only waiting to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Hsadmin:
    """One hsadmin on a work directory of its own, started as users start it. Call `close` when done; it kills what is left."""

    def __init__(self, config: Mapping[str, Mapping[str, Any]] | None = None, *, headscale: str | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hs-", dir="/tmp"))  # short: Unix socket paths end at 107 bytes
        self.work = self.folder / "w"
        self.port, self.local_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.config_file = self.folder / "hsadmin.yaml"
        self.log_file = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        settings: dict[str, Any] = {
            "work_dir": str(self.work),
            "server": {
                "public_url": self.url,
                "listen": [f"tcp:{self.port}:interface=127.0.0.1"],
                "local_listen": f"tcp:{self.local_port}:interface=127.0.0.1",
            },
            "tls": {"mode": "self-signed"},
            "headscale": {"binary": headscale or part("HSADMIN_HEADSCALE")},
        }
        self._settings = settings
        self.configure(**(config or {}))

    def configure(self, **sections: Mapping[str, Any]) -> None:
        """Changes hsadmin.yaml, key by key."""
        for section, values in sections.items():
            self._settings[section] = {**self._settings.get(section, {}), **values}
        self.config_file.write_text(yaml.safe_dump(self._settings))

    # — life —

    def start(self, *, own_group: bool = True, **environ: str) -> None:
        log = self.log_file.open("ab")
        self.process = subprocess.Popen(
            [str(SCRIPTS / "twistd"), "--nodaemon", "--pidfile=", "hsadmin", "--config", str(self.config_file)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=own_group,
        )
        log.close()

    def ready(self, seconds: float = 60) -> None:
        """Waits until the front listens and headscale is ready."""
        try:
            until(lambda: self.readiness()[0] == 200, seconds, "hsadmin to be ready")
        except AssertionError as late:
            raise AssertionError(f"{late} Its log:\n{self.log_tail()}") from None

    def stop(self, number: int = signal.SIGTERM, seconds: float = 125) -> int:
        """Sends the signal to hsadmin alone and returns its exit status (negative: the signal it ended by)."""
        process = self.running()
        process.send_signal(number)
        return process.wait(seconds)

    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "start() comes first"
        return self.process

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop(seconds=30)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        for pid in self.leftovers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def leftovers(self) -> list[int]:
        """Processes whose command line names our folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if str(self.folder).encode() in (entry / "cmdline").read_bytes() and alive(int(entry.name)):
                        found.append(int(entry.name))
        return found

    # — what it says —

    def readiness(self) -> tuple[int, str]:
        """Status and body of /readyz on the local listener; 0 when nothing listens."""
        try:
            return self.local("/readyz")
        except OSError:
            return 0, ""

    def local(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.local_port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def status(self) -> dict[str, Any]:
        """What /admin/api/status tells, asked over admin.sock."""
        connection = UnixConnection(self.work / "run" / "admin.sock")
        with contextlib.closing(connection):
            connection.request("GET", "/status")
            answer = connection.getresponse()
            assert answer.status == 200, answer.status
            return dict(json.load(answer))

    def engine(self) -> dict[str, Any]:
        """What is known of the supervised headscale; empty while nobody answers."""
        try:
            return dict(self.status()["headscale"])
        except OSError:
            return {}

    def engine_that_says(self, words: str) -> dict[str, Any] | None:
        """The engine's state once its reason holds `words`."""
        engine = self.engine()
        return engine if words in str(engine.get("reason", "")) else None

    def kill_headscale(self) -> None:
        os.kill(self.engine()["pid"], signal.SIGKILL)

    def headscale_requests(self) -> list[str]:
        """Paths of the requests that headscale itself logged, in order."""
        return re.findall(r"headscale: info http request \S+ path=(\S*)", self.log())

    @contextlib.contextmanager
    def requests_meanwhile(self, path: str) -> Iterator[list[int]]:
        """Asks for `path` again and again beside what the `with` does; statuses so far are in the list."""
        statuses: list[int] = []
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                statuses.append(self.get(path).status)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            yield statuses
        finally:
            over.set()
            asking.join()

    def command(self, *arguments: str, expect: int = 0) -> str:
        """Runs `hsadmin --config … ARGUMENTS` and returns its output."""
        done = subprocess.run(
            [sys.executable, "-m", "hsadmin.cli", "--config", str(self.config_file), *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, f"hsadmin {' '.join(arguments)} ended with {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout if expect == 0 else done.stderr

    def key(self, user: str = "me") -> str:
        """A reusable pre-auth key of `user`, who is made when missing."""
        with contextlib.suppress(AssertionError):
            self.command("user", "create", user)
        return str(json.loads(self.command("--json", "key", "create", "--user", user, "--reusable"))["key"]["secret"])

    def nodes(self) -> list[dict[str, Any]]:
        """headscale's own list, by its own command line."""
        return list(json.loads(self.command("headscale", "--", "nodes", "list", "-o", "json")) or [])

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_tail(self) -> str:
        return self.log()[-4000:]

    # — the way in —

    @property
    def ca_file(self) -> Path:
        return self.work / "tls" / "ca.pem"

    def server(self) -> Server:
        return Server(self.url, self.trusting())

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))

    def get(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> http.client.HTTPResponse:
        """One request to the public port; the body is already read (`answer.content`)."""
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=self.trusting())
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_accept_encoding=True, skip_host="Host" in (headers or {}))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            answer.content = answer.read()  # type: ignore[attr-defined]  # read while the connection is open
            return answer


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Machine:
    """A real tailscaled with a state folder and a socket of its own, in userspace networking."""

    def __init__(self, name: str, ca_file: Path, **environ: str) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"ts-{name}-", dir="/tmp"))
        self.socks_port = free_port()
        self._socket = self.folder / "s"
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [
                part("HSADMIN_TAILSCALED"),
                "--tun=userspace-networking",
                "--no-logs-no-support",
                f"--statedir={self.folder}",
                f"--socket={self._socket}",
                f"--socks5-server=127.0.0.1:{self.socks_port}",
                "--port=0",
            ],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "SSL_CERT_FILE": str(ca_file), **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        until(self._socket.exists, 30, f"tailscaled of {name} to listen")

    def run(self, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        command = [part("HSADMIN_TAILSCALE"), f"--socket={self._socket}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)

    def tailscale(self, *arguments: str) -> str:
        done = self.run(*arguments)
        words = f"{self.name}: tailscale {arguments[0]} ended with {done.returncode}: {done.stderr}{done.stdout}\n{self.log_tail()}"
        assert done.returncode == 0, words
        return done.stdout

    def up(self, url: str, key: str) -> None:
        self.tailscale("up", f"--login-server={url}", f"--auth-key={key}", f"--hostname={self.name}", "--timeout=90s", "--accept-dns=false")

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.tailscale("status", "--json")))

    def address(self) -> str:
        return str(self.status()["Self"]["TailscaleIPs"][0])

    def online(self) -> bool:
        """Whether this client itself holds that it is connected to the control server."""
        status = self.status()
        return bool(status["BackendState"] == "Running" and status["Self"]["Online"])

    def ping(self, other: Machine, *, direct: bool) -> None:
        """Fails unless a pong comes within a minute, and by the way asked for: directly, or through the relay."""
        address = other.address()
        how = ("--until-direct", "--c=30") if direct else ("--until-direct=false", "--c=1")

        def pong() -> bool:
            done = self.run("ping", *how, "--timeout=5s", address)
            return done.returncode == 0 and ("DERP" in done.stdout.splitlines()[-1]) is not direct

        until(pong, 60, f"a {'direct' if direct else 'relayed'} pong from {other.name} to {self.name}")

    def log_tail(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def through_socks(machine: Machine, address: str, port: int) -> Iterator[socket.socket]:
    """A TCP connection made by `machine` inside the tailnet (SOCKS5 without sign-in, RFC 1928)."""
    with socket.create_connection(("127.0.0.1", machine.socks_port), timeout=60) as link:
        link.sendall(b"\x05\x01\x00")
        assert link.recv(2) == b"\x05\x00"
        link.sendall(b"\x05\x01\x00\x01" + socket.inet_aton(address) + port.to_bytes(2, "big"))
        answer = b""
        while len(answer) < 10:
            more = link.recv(10 - len(answer))
            assert more, "the SOCKS5 server hung up"
            answer += more
        assert answer[1] == 0, f"SOCKS5 refused with code {answer[1]}"
        yield link
