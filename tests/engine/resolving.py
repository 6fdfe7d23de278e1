"""A place to resolve releases in: fakes of the host, of Go and of the shelf, for the tests of releases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from hsadmin.engine.download import DownloadLimits, DownloadSource
from hsadmin.engine.gobuild import GoBuilder
from hsadmin.engine.inspect import Inspector
from hsadmin.engine.releases import Releases
from hsadmin.engine.shelf import Shelf
from hsadmin.engine.trust import TrustRecord
from hsadmin.errors import (
    Problem,
)
from hsadmin.model.engine import Resolved
from tests.fakes.releases import (
    PLATFORM,
    VERSION,
    Authority,
    FakeGo,
    ReleaseHost,
    Sayings,
    answer,
    fake_headscale,
    inline,
    pins,
    reactor,
    refusal,
)

NAME = "headscale-0.29.3-linux-amd64"
ASSET = "/v0.29.3/headscale_0.29.3_linux_amd64"
LIMITS = DownloadLimits(connect=5.0, head=5.0, silence=5.0, whole=60.0, size=1_000_000)
GOOD = fake_headscale()


class Case(TestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        self.root.mkdir()
        self.folder = self.root / "bin"
        self.record = TrustRecord(self.root / "trust.json")
        self.say = Sayings()
        self.authority = Authority(self.root)
        self.host = ReleaseHost(self.authority.server("127.0.0.1"))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.host.close()))
        self.host.answers[ASSET] = answer(GOOD)
        self.time = 1000.0

    def releases(self, *, go: FakeGo | None = None, base: str = "", shelf: Shelf | None = None, **changed: Any) -> Releases:
        self.shelf = shelf or Shelf(self.folder)
        environ = {"SSL_CERT_FILE": str(self.authority.file)}
        path = {"PATH": f"{go.folder if go else self.root}:/usr/bin:/bin"}
        arguments: dict[str, Any] = {
            "version": VERSION,
            "platform": PLATFORM,
            "shelf": self.shelf,
            "trust": self.record,
            "inspector": Inspector(reactor, PLATFORM),
            "offload": inline,
            "now": lambda: self.time,
            "downloads": DownloadSource.over_https(reactor, environ, base=base or self.host.base, limits=LIMITS),
            "builder": GoBuilder(reactor, environ=path, beside=self.root, deadline=60.0),
            "pins": pins(),
            "limits": LIMITS,
            "patience": 0.01,
        }
        return Releases(reactor, **(arguments | changed))

    def resolve(self, **options: Any) -> Deferred[Resolved]:
        return Deferred.fromCoroutine(self.releases(**options).resolve(self.say))

    async def refused(self, kind: type[Problem], *words: str, **options: Any) -> Problem:
        problem = await refusal(self.resolve(**options), kind)
        for word in words:
            self.assertIn(word, problem.sentence)
        return problem

    def on_shelf(self) -> set[str]:
        return {path.name for path in self.folder.iterdir() if path.name != ".lock"} if self.folder.exists() else set()

    def put(self, content: bytes, path: Path | None = None, mode: int = 0o755) -> Path:
        path = path or self.folder / NAME
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path
