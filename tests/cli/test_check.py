"""`hsadmin check`: what it says, how it ends, and that it leaves no trace."""

from __future__ import annotations

import datetime
import json
import os
import socket
from pathlib import Path
from typing import Any

import trustme

from hsadmin.engine.trust import Accepted, TrustRecord
from hsadmin.model.engine import Trust
from hsadmin.model.layout import Layout
from tests.cli.support import CommandTestCase, Ended
from tests.fakes.rooms import neighbours
from tests.fakes.tls import pem_pair


class CheckTestCase(CommandTestCase):
    def setUp(self) -> None:
        super().setUp()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    async def check(self, listen: str = "", *words: str, tls: str = "{mode: off}", url: str = "", work: Path | None = None) -> Ended:
        config = self.folder / "hsadmin.yaml"
        config.write_text(
            f"work_dir: {work or self.work}\n"
            "server:\n"
            f"  public_url: {url or f'http://127.0.0.1:{self.port}'}\n"
            f"  listen: {listen or f'tcp:{self.port}:interface=127.0.0.1'}\n"
            f"tls: {tls}\n"
        )
        return await self.run_command("check", "--config", str(config), *words)


class Check(CheckTestCase):
    async def test_all_well(self) -> None:
        before = sorted(self.folder.rglob("*"))
        ended = await self.check()
        self.assertEqual((ended.status, ended.err), (0, ""))
        for line in (
            f"work directory: {self.work}",
            "trusted on first use: nothing yet",
            f"good: 127.0.0.1:{self.port} can be listened on",
        ):
            self.assertIn(f"{line}\n", ended.out)
        self.assertEqual(sorted(self.folder.rglob("*")), sorted([*before, self.folder / "hsadmin.yaml"]))

    async def test_json(self) -> None:
        found = json.loads((await self.check("", "--json")).out)
        self.assertEqual((sorted(found), found["faults"]), (["facts", "faults", "good", "trust"], []))

    async def test_what_is_trusted(self) -> None:
        record = TrustRecord(Layout(self.work).trust)
        for version, trust in (("0.29.2", Trust.PINNED), ("0.29.3", Trust.FIRST_USE)):
            record.accept(Accepted(place=f"headscale-{version}", version=version, sha256="ab" * 32, trust=trust, at=0.0))
        ended = await self.check()
        lines = [line for line in ended.out.splitlines() if line.startswith("trusted on first use")]
        self.assertEqual(
            lines, [f"trusted on first use: headscale 0.29.3, headscale-0.29.3, SHA-256 {'ab' * 32}, accepted 1970-01-01 00:00 UTC"]
        )

    async def test_a_damaged_record_is_a_fault(self) -> None:
        Layout(self.work).trust.write_text("{")
        ended = await self.check()
        self.assertEqual(ended.status, 78)
        self.assertIn("is damaged", ended.err)

    async def test_a_work_directory_that_cannot_be(self) -> None:
        (self.folder / "file").write_text("")
        (self.folder / "link").symlink_to(self.work)
        (self.folder / "shared" / "photos").mkdir(parents=True)
        (self.folder / "shared").chmod(0o755)
        for work, words in (
            (self.folder / "link", "is a symbolic link"),
            (self.folder / "shared", "is open to others and holds other things"),
            (self.folder / "file", "is not a directory"),
            (self.folder / "file" / "below", "cannot be made below"),
            (self.folder / ("x" * 70) / "y", "can be made"),
        ):
            with self.subTest(words):
                ended = await self.check(work=work)
                self.assertIn(words, ended.out + ended.err)


class Listeners(CheckTestCase):
    async def test_a_port_that_is_taken(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            ended = await self.check()
        self.assertEqual(
            (ended.status, ended.err), (78, f"server.listen: cannot listen on 127.0.0.1:{self.port}: another program listens there.\n")
        )

    async def test_a_port_that_we_have(self) -> None:
        self.daemon(neighbours())
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            ended = await self.check()
        self.assertEqual((ended.status, ended.err), (0, ""))
        self.assertIn("good: hsadmin is running on this work directory", ended.out)

    async def test_unix_sockets(self) -> None:
        path = self.folder / "public.sock"
        self.assertEqual((await self.check(f"unix:{path}")).status, 0)
        self.assertFalse(path.exists())
        with socket.socket(socket.AF_UNIX) as taken:
            taken.bind(os.fspath(path))
            self.assertEqual((await self.check(f"unix:{path}")).status, 0)
            taken.listen()
            self.assertIn("another program listens there", (await self.check(f"unix:{path}")).err)
        path.unlink()
        path.write_text("")
        self.assertIn("something that is not a socket", (await self.check(f"unix:{path}")).err)
        self.assertIn("is not there, or not writable", (await self.check(f"unix:{self.folder}/none/public.sock")).err)


class Certificates(CheckTestCase):
    def files(self, *names: str, **settings: Any) -> str:
        chain, key = pem_pair(trustme.CA(), *names, **settings)
        for name, content in (("chain.pem", chain), ("key.pem", key)):
            (self.folder / name).write_bytes(content)
        return f"{{mode: files, cert: {self.folder}/chain.pem, key: {self.folder}/key.pem}}"

    async def test_states(self) -> None:
        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        for why, names, settings, status, words in (
            ("good", ("tailnet.example.com",), {}, 0, "for tailnet.example.com, until"),
            ("good by wildcard", ("*.example.com",), {}, 0, "for *.example.com, until"),
            ("of another name", ("other.example.com",), {}, 78, "and not for tailnet.example.com"),
            ("over", ("tailnet.example.com",), {"ends": past}, 78, "2020"),
        ):
            with self.subTest(why):
                ended = await self.check(tls=self.files(*names, **settings), url="https://tailnet.example.com")
                self.assertEqual(ended.status, status, ended.err)
                self.assertIn(words, ended.out + ended.err)

    async def test_missing(self) -> None:
        ended = await self.check(
            tls=f"{{mode: files, cert: {self.folder}/a.pem, key: {self.folder}/b.pem}}", url="https://tailnet.example.com"
        )
        self.assertEqual(ended.status, 78)
        self.assertIn("a.pem", ended.err)

    async def test_self_signed_is_not_made_by_a_check(self) -> None:
        ended = await self.check(tls="{mode: self-signed}", url="https://tailnet.example.com")
        self.assertEqual(ended.status, 0)
        self.assertIn("will be made", ended.out)
        self.assertFalse((self.work / "tls").exists())
