"""What hsadmin writes is what the real headscale starts with, and what hsadmin refuses is what the real headscale refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.ports import Transport, choose
from hsadmin.engine.yamlfile import YamlFile
from hsadmin.model.layout import Layout
from hsadmin.settings import Derp, Facts, headscale_yaml, put
from hsadmin.settings.scalars import Value
from hsadmin.system.workdir import WorkDir
from tests.live.rig import part, until
from tests.settings.test_compare import ADOPTED
from tests.settings.test_rules import FATAL

# Its lines in order; "stun server started at …" comes from another goroutine, somewhere among the later ones.
START_UP = (
    "Opening database",
    "starting headscale",
    "Clients with a lower minimum version will be rejected",
    "HA subnet router health probing enabled",
    "listening and serving HTTP on: ",
    "listening and serving debug and metrics on: ",
)

OURS: tuple[dict[str, Value], ...] = (
    # what the real one takes, or chokes on only later: refused by hsadmin for the reason beside each
    {"dns.base_domain": "tailnet.internal."},  # names then end in two dots
    {"dns.base_domain": "Example.com"},  # compared case by case, and with the port: the server's name ends up inside the tailnet
    {"derp.server.enabled": False},  # configtest reads no relay map; serve ends with "initial DERPMap is empty"
    {"derp.server.enabled": "yes"},  # taken as false: the same
)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.binary = part("HSADMIN_HEADSCALE")
        root = Path(tempfile.mkdtemp(prefix="hs-", dir="/tmp"))  # short: Unix socket paths end at 107 bytes
        self.addCleanup(shutil.rmtree, root, True)
        self.layout = Layout(root)
        work = WorkDir(self.layout)
        work.take()
        self.addCleanup(work.release)
        wanted = {"listen": Transport.TCP, "metrics": Transport.TCP, "stun": Transport.UDP}
        ports = choose({}, wanted, random=Random())
        self.facts = Facts(
            layout=self.layout,
            server_url="https://tailnet.example.com",
            listen_addr=ports["listen"],
            metrics_listen_addr=ports["metrics"],
            stun_listen_addr=ports["stun"],
        )
        self.trial = replace(self.facts, server_url="http://127.0.0.1:8080", derp=Derp.STUN_ONLY)

    def run_headscale(self, command: str, path: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.binary, command, "-c", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.layout.root)},
            umask=0o077,
        )

    def configtest(self, text: str) -> tuple[int, str]:
        path = self.layout.headscale / "candidate.yaml"
        path.write_text(text)
        child = self.run_headscale("configtest", path)
        said, _ = child.communicate(timeout=25)
        return child.returncode, said


class Starting(Case):
    def started(self, facts: Facts, look: Callable[[], Any]) -> tuple[list[dict[str, Any]], Any]:
        """headscale's lines up to its last one of the start, and what `look` found while it ran."""
        YamlFile(self.layout.headscale_yaml).reconcile(facts)
        child = self.run_headscale("serve", self.layout.headscale_yaml)
        assert child.stdout is not None
        lines: list[dict[str, Any]] = []
        try:
            for line in child.stdout:
                self.assertTrue(line.startswith("{"), f"no JSON line: {line}")
                lines.append(json.loads(line))
                if lines[-1]["message"].startswith(START_UP[-1]):
                    break
            found = look()
            time.sleep(0.1)  # before that, its signal handlers may not be installed yet
            child.terminate()
            child.communicate(timeout=15)
            self.assertEqual(child.returncode, 0)
        finally:
            child.kill()
            child.communicate()
        return lines, found

    def page(self, name: str) -> Any:
        request = urllib.request.Request(f"http://{self.facts.metrics_listen_addr}/debug/{name}", headers={"Accept": "application/json"})

        def answer() -> Any:
            try:
                with urllib.request.urlopen(request, timeout=5) as reply:
                    return json.load(reply)
            except OSError:
                return None

        return until(answer, 5, f"/debug/{name}")

    def in_order(self, lines: list[dict[str, Any]]) -> None:
        said = [line["message"] for line in lines if line["level"] == "info"]
        places = [next(at for at, text in enumerate(said) if text.startswith(words)) for words in START_UP]
        self.assertEqual(places, sorted(places), said)

    def test_the_first_render_starts_with_its_own_relay(self) -> None:
        lines, (relays, config) = self.started(self.facts, lambda: (self.page("derp"), self.page("config")))
        self.in_order(lines)
        node = relays["regions"]["999"]["nodes"][0]
        self.assertEqual((node["hostname"], node["derp_port"], node["stun_port"]), ("tailnet.example.com", 443, self.facts.stun_port))
        self.assertEqual(
            (config["BaseDomain"], config["Policy"]["Mode"], config["Addr"]), ("tailnet.internal", "database", self.facts.listen_addr)
        )
        self.assertEqual(config["Tuning"]["RegisterCacheMaxEntries"], 65536)
        self.assertEqual(config["UnixSocketPermission"], 0o600)

    def test_a_trial_starts_with_stun_alone(self) -> None:
        lines, (relays, answer) = self.started(self.trial, lambda: (self.page("derp"), self.ask_stun()))
        self.in_order(lines)
        self.assertEqual(relays["total_regions"], 1)
        node = relays["regions"]["999"]["nodes"][0]
        self.assertEqual((node["name"], node["hostname"], node["stun_port"]), ("999a", "127.0.0.1", self.facts.stun_port))
        self.assertEqual(answer[:2], b"\x01\x01", "no STUN success response")

    def ask_stun(self) -> bytes:
        """An RFC 5389 binding request, with what headscale's STUN server insists on: the software attribute and the fingerprint."""
        transaction = b"hsadmin-test"
        software = b"\x80\x22\x00\x08tailnode"
        head = b"\x00\x01" + (len(software) + 8).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + transaction
        fingerprint = (zlib.crc32(head + software) ^ 0x5354554E).to_bytes(4, "big")
        request = head + software + b"\x80\x28\x00\x04" + fingerprint

        def answer() -> bytes | None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(0.5)
                client.connect(("127.0.0.1", self.facts.stun_port))
                try:
                    client.send(request)
                    return client.recv(1500)
                except OSError:
                    return None

        return until(answer, 5, "an answer of the STUN server")

    def test_all_files_are_shut_to_others(self) -> None:
        self.started(self.trial, lambda: None)
        for path in self.layout.root.rglob("*"):
            self.assertEqual(path.lstat().st_mode & 0o077, 0, path)

    def test_it_reads_as_we_do(self) -> None:
        """Dotted keys, upper case, `yes` for a boolean, octal numbers, bare durations."""
        path = YamlFile(self.layout.headscale_yaml)
        path.reconcile(self.facts)
        text = path.path.read_text().replace("\ndns:\n", '\ndns.search_domains: [dotted.example]\nTaildrop.Enabled: "yes"\ndns:\n')
        text = (
            text.replace("  search_domains: []\n", "")
            .replace("taildrop:\n", "other:\n")
            .replace("wal_autocheckpoint: 1000", "wal_autocheckpoint: 0770")
        )
        path.path.write_text(put(text, "tuning.batch_change_delay", 800, file="f"))
        _, config = self.started(self.facts, lambda: self.page("config"))
        self.assertEqual(config["DNSConfig"]["SearchDomains"], ["dotted.example"])
        self.assertIs(config["Taildrop"]["Enabled"], False)
        self.assertEqual(config["Database"]["Sqlite"]["WALAutoCheckPoint"], 504)
        self.assertEqual(config["Tuning"]["BatchChangeDelay"], 800)


class Judging(Case):
    def with_edits(self, edits: dict[str, Value]) -> str:
        text = headscale_yaml(self.facts)
        for name, value in edits.items():
            text = put(text, name, value, file="f")
        return text

    def test_it_takes_what_we_adopt(self) -> None:
        for name, value in ADOPTED:
            status, said = self.configtest(self.with_edits({name: value}))
            self.assertEqual(status, 0, f"{name}: {said}")

    def test_it_refuses_what_we_refuse(self) -> None:
        for edits, key, _words in FATAL:
            status, said = self.configtest(self.with_edits(edits))
            self.assertEqual(status, 0 if edits in OURS else 1, f"{key}: {edits}: {said}")

    def test_it_does_not_start_without_a_relay_map(self) -> None:
        path = self.layout.headscale / "candidate.yaml"
        path.write_text(self.with_edits({"derp.server.enabled": "yes"}))
        child = self.run_headscale("serve", path)
        said, _ = child.communicate(timeout=25)
        self.assertEqual(child.returncode, 1)
        self.assertIn("initial DERPMap is empty", said)

    def test_it_takes_every_default_that_is_commented_out(self) -> None:
        every = re.sub(r"^( *)#(?=[a-z0-9_]+:)", r"\1", headscale_yaml(self.facts), flags=re.MULTILINE)
        self.assertIn("\noidc:\n", every)
        status, said = self.configtest(every)
        self.assertEqual(status, 0, said)
