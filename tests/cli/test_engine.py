"""`hsadmin engine …` and `hsadmin headscale -- …`, with a supplied stand-in for headscale."""

from __future__ import annotations

import hashlib
import json
import os

from hsadmin.errors import BinaryChanged, BinaryMissing, Problem, SettingsUnreadable
from tests.cli.support import CommandTestCase, Ended
from tests.fakes.releases import fake_headscale

YAML = """\
work_dir: {work}
server:
  public_url: http://127.0.0.1:8099
  listen: tcp:8099:interface=127.0.0.1
tls:
  mode: off
headscale:
  binary: {binary}
"""


class Supplied(CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.binary = self.folder / "headscale"
        self.binary.write_bytes(fake_headscale())
        self.binary.chmod(0o755)
        self.config = self.folder / "hsadmin.yaml"
        self.config.write_text(YAML.format(work=self.work, binary=self.binary))
        self.yaml = self.work / "headscale" / "headscale.yaml"
        self.yaml.parent.mkdir()
        self.yaml.write_text("{}\n")

    async def command(self, *words: str, **environ: str) -> Ended:
        return await self.run_command("--config", str(self.config), *words, environ={**os.environ, **environ})

    async def refusal(self, kind: type[Problem], *words: str) -> str:
        try:
            await self.command(*words)
        except kind as problem:
            return problem.sentence
        return self.fail("it was not refused")


class Engine(Supplied):
    async def test_list_and_verify(self) -> None:
        """Before its first use nothing vouches for a supplied binary; afterwards its recorded hash does, until it changes."""
        before = await self.command("engine", "verify")
        self.assertEqual(before.status, 1)
        self.assertIn("not accepted yet", before.err)
        await self.command("headscale")
        after = await self.command("engine", "verify")
        self.assertEqual((after.status, after.out), (0, ""))
        self.assertIn(f"{self.binary}: good, trusted on first use", after.err)
        listed = await self.command("engine", "list", "--json")
        self.assertEqual(
            [(entry["path"], entry["sha256"], entry["trust"], entry["fault"]) for entry in json.loads(listed.out)],
            [(str(self.binary), hashlib.sha256(self.binary.read_bytes()).hexdigest(), "first-use", "")],
        )
        self.binary.write_bytes(fake_headscale(note="other"))
        changed = await self.command("engine", "verify")
        self.assertEqual(changed.status, 1)
        self.assertIn("is not the file that was accepted", changed.err)

    async def test_list_as_lines(self) -> None:
        await self.command("headscale")
        listed = await self.command("engine", "list")
        self.assertRegex(listed.out, r"^0\.29\.3  \w+/\w+  [0-9a-f]{12}  first-use  accepted \d{4}-\d\d-\d\d  .*/headscale\n$")

    async def test_an_empty_shelf(self) -> None:
        ended = await self.run_command("engine", "list", "-w", str(self.work))
        self.assertEqual((ended.status, ended.out, ended.err), (0, "", "The shelf is empty; `hsadmin engine fetch` fills it.\n"))
        self.assertEqual((await self.run_command("engine", "list", "--json", "-w", str(self.work))).out, "[]\n")


class Headscale(Supplied):
    async def test_becomes_headscale_with_our_configuration(self) -> None:
        ended = await self.command(
            "headscale", "--", "nodes", "list", "--output", "json", HEADSCALE_CLI_ADDRESS="elsewhere:443", LD_PRELOAD="x", TERM="xterm"
        )
        [(path, command, environment)] = ended.became
        self.assertEqual(path, str(self.binary))
        self.assertEqual(command, [str(self.binary), "-c", str(self.yaml), "nodes", "list", "--output", "json"])
        self.assertEqual(environment["PATH"], os.environ["PATH"])
        self.assertEqual(environment["TERM"], "xterm")
        self.assertEqual([name for name in environment if name.startswith(("HEADSCALE", "LD_"))], [])

    async def test_not_what_was_accepted(self) -> None:
        await self.command("headscale")
        self.binary.write_bytes(fake_headscale(note="other"))
        self.assertIn("is not the file that was accepted", await self.refusal(BinaryChanged, "headscale", "--", "version"))

    async def test_not_there_yet(self) -> None:
        self.yaml.unlink()
        self.assertIn("hsadmin writes it at its first start", await self.refusal(SettingsUnreadable, "headscale"))
        self.binary.unlink()
        self.yaml.write_text("{}\n")
        self.assertIn(str(self.binary), await self.refusal(BinaryMissing, "headscale"))

    async def test_an_empty_shelf_is_not_filled_on_the_way(self) -> None:
        try:
            await self.run_command("headscale", "-w", str(self.work), "--", "version")
        except BinaryMissing as problem:
            self.assertIn("`hsadmin engine fetch` gets it", problem.sentence)
        else:
            self.fail("there was none")
        self.assertFalse((self.work / "bin").exists())
