"""headscale.yaml is made once, corrected by splices, and every way in which the disk refuses has its code and leaves the old file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.yamlfile import YamlFile
from hsadmin.errors import SettingsProblem
from hsadmin.model.layout import Layout
from hsadmin.settings import Derp, Facts, headscale_yaml

THEIRS = """\
# mine
dns: {base_domain: corp.example.org, override_local_dns: false}
prefixes:
    v4: 100.64.0.0/16
bogus: 1
derp:
  server:
    enabled: true
    region_id: 900
    stun_listen_addr: 0.0.0.0:3478
"""


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        layout = Layout(Path(self.mktemp()).absolute())
        layout.headscale.mkdir(parents=True)
        self.facts = Facts(
            layout=layout,
            server_url="https://tailnet.example.com",
            listen_addr="127.0.0.1:21001",
            metrics_listen_addr="127.0.0.1:21002",
        )
        self.path = layout.headscale_yaml
        self.file = YamlFile(self.path)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.path.parent))

    def refused(self, code: str, call: Callable[[], object] | None = None) -> str:
        before = {name: self.content(name) for name in self.names()}
        with self.assertRaises(SettingsProblem) as caught:
            (call or (lambda: self.file.reconcile(self.facts)))()
        problem: SettingsProblem = caught.exception
        self.assertEqual(problem.code, code, problem.sentence)
        self.assertEqual({name: self.content(name) for name in self.names()}, before, "something was left behind, or lost")
        self.assertNotIn("\n", problem.sentence)
        return problem.sentence

    def content(self, name: str) -> bytes | str:
        path = self.path.parent / name
        return path.read_bytes() if path.is_file() else "no file"


class Reconciling(Case):
    def test_the_first_time_it_is_rendered(self) -> None:
        self.addCleanup(os.umask, os.umask(0))
        report = self.file.reconcile(self.facts)
        self.assertEqual((report.created, report.corrections, report.warnings), (True, (), ()))
        self.assertEqual(self.path.read_text(), headscale_yaml(self.facts))
        self.assertEqual(report.text, headscale_yaml(self.facts))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(self.names(), ["headscale.yaml"])

    def test_a_first_render_that_cannot_start_is_there_to_be_edited(self) -> None:
        facts = replace(self.facts, server_url="https://hs.tailnet.internal")
        with self.assertRaises(SettingsProblem) as caught:
            self.file.reconcile(facts)
        self.assertRegex(caught.exception.sentence, r"headscale\.yaml, line \d+: dns\.base_domain: 'tailnet\.internal' was found")
        self.path.write_text(self.path.read_text().replace("base_domain: tailnet.internal", "base_domain: nodes.internal"))
        self.assertEqual(self.file.reconcile(facts).corrections, ())

    def test_the_second_time_nothing_is_touched(self) -> None:
        self.file.reconcile(self.facts)
        before = self.path.stat()
        report = self.file.reconcile(self.facts)
        self.assertFalse(report.created)
        self.assertEqual((self.path.stat().st_ino, self.path.stat().st_mtime_ns), (before.st_ino, before.st_mtime_ns))
        self.assertEqual(self.names(), ["headscale.yaml"])

    def test_an_edited_file_keeps_its_edits_and_its_bytes(self) -> None:
        self.file.reconcile(self.facts)
        edited = self.path.read_text().replace('expiry: "0"', "expiry: 180d   # the auditors' wish").replace("\n", "\r\n")
        edited = edited.replace("level: info", "level: warn   # less noise") + "# mine"
        self.path.write_bytes(edited.encode())
        report = self.file.reconcile(self.facts)
        self.assertEqual(len(report.corrections), 1)
        self.assertRegex(report.corrections[0], r"headscale\.yaml, line \d+: log\.level: warn was found and info was put back")
        self.assertEqual(self.path.read_bytes().decode(), edited.replace("level: warn   #", "level: info   #"))
        self.assertEqual(self.file.backup.read_bytes().decode(), edited)
        self.assertEqual(stat.S_IMODE(self.file.backup.stat().st_mode), 0o600)
        self.assertEqual(self.names(), ["headscale.yaml", "headscale.yaml.bak"])

    def test_new_facts_are_written_by_name(self) -> None:
        self.file.reconcile(self.facts)
        report = self.file.reconcile(replace(self.facts, listen_addr="127.0.0.1:22222", server_url="https://new.example.com"))
        self.assertEqual([sentence.split(": ")[1] for sentence in report.corrections], ["server_url", "listen_addr"])
        self.assertEqual(self.file.remembered()["listen_addr"], "127.0.0.1:22222")

    def test_a_file_of_one_s_own_is_taken_over(self) -> None:
        self.path.write_text(THEIRS)
        report = self.file.reconcile(self.facts)
        tree = yaml.safe_load(self.path.read_text())
        self.assertEqual((tree["dns"]["base_domain"], tree["prefixes"]), ("corp.example.org", {"v4": "100.64.0.0/16"}))
        self.assertEqual(tree["database"]["sqlite"]["path"], str(self.facts.layout.database))
        self.assertEqual(len(report.warnings), 1)
        self.assertIn("bogus is no key", report.warnings[0])
        self.assertEqual(self.file.reconcile(self.facts).corrections, ())

    def test_what_is_remembered(self) -> None:
        self.assertEqual(self.file.remembered(), {})
        self.file.reconcile(self.facts)
        found = self.file.remembered()
        self.assertEqual(
            (found["listen_addr"], found["metrics_listen_addr"], found["derp.server.stun_listen_addr"]),
            ("127.0.0.1:21001", "127.0.0.1:21002", "0.0.0.0:3478"),
        )

    def test_a_trial_s_relay_map_stands_beside_it(self) -> None:
        facts = replace(self.facts, derp=Derp.STUN_ONLY, stun_listen_addr="127.0.0.1:21003")
        self.file.reconcile(facts)
        path = facts.layout.derp_map
        self.assertEqual(yaml.safe_load(path.read_text())["regions"][999]["nodes"][0]["stunport"], 21003)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        before = path.stat().st_ino
        self.file.reconcile(facts)
        self.assertEqual(path.stat().st_ino, before)
        self.file.reconcile(replace(facts, stun_listen_addr="127.0.0.1:21004"))
        self.assertIn("stunport: 21004", path.read_text())

    def test_a_symbolic_link_stays_one(self) -> None:
        elsewhere = self.facts.layout.root / "elsewhere.yaml"
        elsewhere.write_text(headscale_yaml(self.facts))
        self.path.symlink_to(elsewhere)
        self.file.reconcile(replace(self.facts, listen_addr="127.0.0.1:22222"))
        self.assertTrue(self.path.is_symlink())
        self.assertIn("22222", elsewhere.read_text())

    def test_an_edit_in_the_very_moment_is_not_lost(self) -> None:
        self.file.reconcile(self.facts)
        edit = self.path.read_text().replace('expiry: "0"', "expiry: 90d")
        read, reads = self.file._read, list[int]()

        def racing() -> bytes | None:
            if len(reads) == 1:
                self.path.write_text(edit)
            reads.append(1)
            return read()

        self.patch(self.file, "_read", racing)
        report = self.file.reconcile(replace(self.facts, listen_addr="127.0.0.1:22222"))
        self.assertEqual(report.text, edit.replace("21001", "22222"))
        self.assertEqual(self.path.read_text(), report.text)

    def test_an_editor_without_end_is_left_alone(self) -> None:
        counter = iter(range(100))
        self.patch(self.file, "_read", lambda: f"a: {next(counter)}\n".encode() + headscale_yaml(self.facts).encode())
        self.assertIn("is being changed by somebody else", self.refused("settings.unwritable"))


class Unreadable(Case):
    def test_contents(self) -> None:
        good = headscale_yaml(self.facts)
        for text, code, words in (
            ("a: [\n", "settings.malformed", "headscale.yaml, line 2: this is not proper YAML"),
            ("a: 1\na: 2\n", "settings.malformed", "line 2: a stands a second time"),
            (f"{good}---\n{good}", "settings.malformed", "this is not proper YAML"),
            (
                f"{good}randomize_client_port: true\n",
                "settings.invalid",
                "randomize_client_port: headscale 0.29 does not start with this key",
            ),
            (f"{good}oidc: {{expiry: 1d}}\nacl_policy_path: /x\n", "settings.invalid", "write node.expiry (and 1 more fault)"),
            ("derp: 5\n", "settings.invalid", "line 1: derp: 5 was found"),
            (
                "url: &u https://x.example\nserver_url: &s x\nother: *s\n" + good.replace("server_url", "old"),
                "settings.not-spliced",
                "server_url cannot be set",
            ),
            ("#" * (1 << 20) + "\n", "settings.unreadable", "larger than 1 MiB"),
        ):
            self.path.write_text(text)
            self.assertIn(words, self.refused(code))

    def test_bytes(self) -> None:
        self.path.write_bytes(b"a: \xff\n")
        self.assertIn("line 1: byte 0xff is not UTF-8", self.refused("settings.malformed"))

    def test_a_folder(self) -> None:
        self.path.mkdir()
        self.assertIn("is a folder", self.refused("settings.unreadable"))

    def test_a_pipe(self) -> None:
        os.mkfifo(self.path)
        self.assertIn("is not a file", self.refused("settings.unreadable"))

    def test_a_link_to_nowhere(self) -> None:
        self.path.symlink_to(self.path.parent / "gone")
        self.assertIn("a file that does not exist", self.refused("settings.unreadable"))

    def test_a_link_to_itself(self) -> None:
        self.path.symlink_to(self.path)
        self.assertIn("cannot be read: Too many levels", self.refused("settings.unreadable"))

    def test_shut(self) -> None:
        self.path.write_text("")
        real = os.open

        def shut(path: Any, *rest: Any, **more: Any) -> int:
            if path == self.path:
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path, *rest, **more)

        self.patch(os, "open", shut)
        self.assertIn("may not be read by this user", self.refused("settings.unreadable"))
        self.assertIn("may not be read by this user", self.refused("settings.unreadable", self.file.remembered))


class Unwritable(Case):
    def test_each_refusal_of_the_disk(self) -> None:
        for first in (True, False):
            if not first:
                self.file.reconcile(self.facts)
                self.facts = replace(self.facts, listen_addr="127.0.0.1:22222")
            for function, number, code, words in (
                ("fsync", errno.ENOSPC, "settings.no-space", "the disk is full"),
                ("fsync", errno.EDQUOT, "settings.no-space", "the disk is full"),
                ("fsync", errno.EIO, "settings.unwritable", "Input/output error"),
            ):
                patched = self.patch(os, function, _refusing(number))
                self.assertIn(words, self.refused(code))
                patched.restore()

    def test_a_read_only_disk(self) -> None:
        real = os.open

        def read_only(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if flags & os.O_CREAT:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return real(path, flags, *rest, **more)

        self.patch(os, "open", read_only)
        self.assertIn("mounted read-only", self.refused("settings.read-only"))

    def test_a_folder_that_is_gone(self) -> None:
        file = YamlFile(self.path.parent / "gone/headscale.yaml")
        self.assertIn("No such file or directory", self.refused("settings.unwritable", lambda: file.reconcile(self.facts)))

    def test_the_backup_is_written_before_the_file(self) -> None:
        self.file.reconcile(self.facts)
        self.file.backup.mkdir()
        self.facts = replace(self.facts, listen_addr="127.0.0.1:22222")
        self.assertIn("headscale.yaml.bak cannot be written", self.refused("settings.unwritable"))


def _refusing(number: int) -> Callable[..., None]:
    def refuse(*_arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refuse
