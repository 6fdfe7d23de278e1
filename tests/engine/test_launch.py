"""Only named variables reach the child, and a binary that cannot run is refused in words before it is spawned."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from hsadmin.engine.launch import Launch, SpawnProblem, spawn_sentence
from hsadmin.model.engine import Trust
from tests.tables import TableCase, table


def launch(binary: Path, **environment: str) -> Launch:
    return Launch(
        binary=binary,
        arguments=("serve", "-c", "/w/headscale.yaml"),
        environment=environment,
        version="0.29.3",
        trust=Trust.PINNED,
        socket_path=Path("/w/h.sock"),
        health="http://127.0.0.1:1/health",
    )


class LaunchTests(TableCase):
    def test_the_environment_is_scrubbed(self) -> None:
        given = {
            "PATH": "/bin",
            "HEADSCALE_DNS": "x",
            "HEADSCALE_LISTEN_ADDR": "y",
            "SSL_CERT_FILE": "/ca",
            "LD_PRELOAD": "/evil",
            "TZ": "UTC",
        }
        self.assertEqual(launch(Path("/bin/true"), **given).scrubbed, {"PATH": "/bin", "SSL_CERT_FILE": "/ca", "TZ": "UTC"})

    def test_the_binary_is_its_own_first_argument(self) -> None:
        self.assertEqual(launch(Path("/b/headscale")).command, ("/b/headscale", "serve", "-c", "/w/headscale.yaml"))

    @table(
        ("missing", None, "does not exist."),
        ("a folder", "folder", "is not a file"),
        ("without permission", 0o644, "its mode has no execute permission"),
    )
    def test_refused(self, name: str, made: str | int | None, names: str) -> None:
        path = Path(self.mktemp())
        if made == "folder":
            path.mkdir()
        elif made is not None:
            path.write_bytes(b"")
            path.chmod(int(made))
        problem = self.assertRaises(SpawnProblem, launch(path).check)
        self.assertEqual(problem.code, "engine.spawn-failed")
        self.assertIn(names, problem.sentence)

    def test_taken(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"")
        path.chmod(0o700)
        launch(path).check()

    @table(
        ("gone", errno.ENOENT, Path("/nowhere/at/all"), "does not exist"),
        ("no interpreter", errno.ENOENT, Path("/"), "interpreter or loader"),
        ("forbidden", errno.EACCES, Path("/"), "may not be executed"),
        ("another system's", errno.ENOEXEC, Path("/"), "another system or processor"),
        ("too much", errno.E2BIG, Path("/"), "too long"),
        ("descriptors", errno.EMFILE, Path("/"), "too many files"),
        ("processes", errno.EAGAIN, Path("/"), "no process, left"),
        ("being written", errno.ETXTBSY, Path("/"), "being written"),
        ("anything else", errno.ELOOP, Path("/"), os.strerror(errno.ELOOP)),
    )
    def test_sentences(self, name: str, number: int, path: Path, names: str) -> None:
        self.assertIn(names, spawn_sentence(path, OSError(number, os.strerror(number))))
