"""A file, options or nothing at all become one Config, and a refusal names where the fault stands."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.config import Options, TlsMode, load, parse, trial
from hsadmin.errors import ConfigProblem
from tests.config.refusing import FILE, GOOD, Refusing

MISSING = (
    # what, text, line (0: none), parts of the sentence
    ("no public_url", "work_dir: /x\n", 0, ("server.public_url is missing; allowed is http:// or https://",)),
    ("empty file", "", 0, ("server.public_url is missing",)),
    ("only comments", "# nothing\n", 0, ("server.public_url is missing",)),
)


class Files(Refusing):
    def test_what_is_needed(self) -> None:
        self.refused_each(MISSING)

    def test_the_status_is_that_of_bad_configuration(self) -> None:
        self.assertEqual(self.refused("", "empty").exit_status, 78)

    def test_from_a_file(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "hsadmin.yaml").write_text(GOOD)
        self.assertEqual(load(Path("hsadmin.yaml"), Options(cwd=folder)), parse(GOOD, folder / "hsadmin.yaml"))

    def test_relative_paths_are_relative_to_the_file_and_options_to_the_caller(self) -> None:
        text = f"{GOOD}work_dir: ../state\nbin_dir: bin\nlog: {{file: ./log}}\n"
        config = parse(text, FILE)
        self.assertEqual((config.work_dir, config.bin_dir, config.log.file), (Path("/etc/state"), FILE.parent / "bin", FILE.parent / "log"))
        config = parse(text, FILE, Options(cwd=Path("/srv/me"), work_dir="other", listen=("tcp:444", "unix:x")).placed())
        self.assertEqual(config.work_dir, Path("/srv/me/other"))
        self.assertEqual([listen.address for listen in config.server.listen], ["0.0.0.0:444", "unix:/srv/me/x"])

    def test_an_option_is_named_when_it_is_the_fault(self) -> None:
        with self.assertRaises(ConfigProblem) as caught:
            parse(GOOD, FILE, Options(cwd=Path("/"), listen=("tcp:x",)).placed())
        self.assertTrue(caught.exception.sentence.startswith("--listen: server.listen: 'tcp:x' was found"), caught.exception.sentence)

    def test_defaults(self) -> None:
        config = parse(GOOD, FILE)
        self.assertEqual(config.work_dir, Path("/var/lib/hsadmin"))
        self.assertEqual(config.bin_dir, Path("/var/lib/hsadmin/bin"))
        self.assertEqual([listen.text for listen in config.server.listen], ["tcp:443"])
        self.assertEqual((config.server.redirect_listen, config.server.local_listen, config.server.trusted_proxies), ((), (), ()))
        self.assertIs(config.tls.mode, TlsMode.SELF_SIGNED)
        self.assertEqual((config.headscale.version, config.headscale.binary, config.headscale.sha256), ("0.29.3", None, ""))
        self.assertEqual((config.auth.disabled, config.trial, config.source), (False, False, FILE))
        limits = config.limits
        self.assertEqual((limits.handshake_seconds, limits.head_seconds, limits.connections_per_source), (10, 10, 64))
        self.assertEqual((limits.connections_total, limits.parked_requests, limits.park_seconds), (0, 4096, 8))


class Trials(SynchronousTestCase):
    def test_without_options(self) -> None:
        config = trial(Options(cwd=Path("/srv/me")))
        self.assertEqual(config.server.public_url.text, "http://127.0.0.1:8080")
        self.assertEqual([listen.address for listen in config.server.listen], ["127.0.0.1:8080"])
        self.assertEqual((config.server.redirect_listen, config.server.local_listen), ((), ()))
        self.assertEqual((config.work_dir, config.tls.mode, config.auth.disabled), (Path("/srv/me/trial"), TlsMode.OFF, True))
        self.assertEqual((config.trial, config.source, config.drops_untrusted), (True, None, False))

    def test_the_address_follows_the_listener(self) -> None:
        for listen, url in (
            ("tcp:9000:interface=127.0.0.1", "http://127.0.0.1:9000"),
            ("tcp:80:interface=127.0.0.2", "http://127.0.0.2"),
            ("tcp6:9000:interface=::1", "http://[::1]:9000"),
        ):
            config = trial(Options(cwd=Path("/"), work_dir="/srv/t", listen=(listen,)))
            self.assertEqual((config.server.public_url.text, config.work_dir), (url, Path("/srv/t")))

    def test_refusals_name_the_option(self) -> None:
        for options, start in (
            (
                Options(cwd=Path("/"), listen=("tcp:8080",)),
                "--listen: 'tcp:8080' was found; a trial has no sign-in and listens on loopback only",
            ),
            (Options(cwd=Path("/"), listen=("tcp:8080:interface=192.0.2.1",)), "--listen: "),
            (Options(cwd=Path("/"), listen=("unix:x",)), "--listen: "),
            (
                Options(cwd=Path("/"), listen=("8080",)),
                "--listen: '8080' was found, where '8080' is no kind of listener; allowed is tcp:PORT",
            ),
            (Options(cwd=Path("/"), work_dir=""), "--work-dir: work_dir: '' was found"),
            (Options(cwd=Path("/"), work_dir="d" * 89), "--work-dir: work_dir: the socket /d"),
        ):
            with self.assertRaises(ConfigProblem) as caught:
                trial(options)
            self.assertTrue(caught.exception.sentence.startswith(start), caught.exception.sentence)

    def test_the_longest_work_dir(self) -> None:
        config = trial(Options(cwd=Path("/"), work_dir="d" * 87))
        self.assertEqual(len(os.fsencode(config.work_dir)), 88)
