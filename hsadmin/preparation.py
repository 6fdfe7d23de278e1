"""What has to be true before headscale is spawned: a binary that may run, and a configuration that fits. Part of the composition root.

Made true anew before every attempt, so that whatever was changed outside meanwhile is what runs next, or is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from hsadmin.config import Config
from hsadmin.engine.files import in_threads
from hsadmin.engine.launch import Launch
from hsadmin.engine.ports import HOST, Transport, choose
from hsadmin.engine.yamlfile import YamlFile
from hsadmin.model.layout import Layout
from hsadmin.resolving import releases
from hsadmin.settings import Derp, Facts

SERVE = ("serve", "-c")


class Preparation(Service):
    """`prepare` is what the supervisor asks before each attempt; `headscale_address` is where the front finds headscale by then."""

    log = Logger()

    def __init__(self, reactor: Any, config: Config, layout: Layout, *, environ: Mapping[str, str], random: Random) -> None:
        self._config = config
        self._layout = layout
        self._environ = environ
        self._threads = ThreadPool(0, 1, "hashing")
        self._releases = releases(reactor, config, environ, in_threads(reactor, self._threads))
        self._file = YamlFile(layout.headscale_yaml)
        self._random = random
        self._address = (HOST, 0)

    def startService(self) -> None:
        Service.startService(self)
        self._threads.start()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return deferToThread(self._threads.stop)

    def headscale_address(self) -> tuple[str, int]:
        """Host and port of headscale's own listener."""
        return self._address

    async def prepare(self) -> Launch:
        """Raises ReleaseProblem or SettingsProblem."""
        resolved = await self._releases.resolve(self._say)
        facts = self._facts()
        report = self._file.reconcile(facts)
        if report.created:
            self._say(f"Wrote headscale's settings to {self._layout.headscale_yaml}; they are yours from now on.")
        for sentence in (*report.corrections, *report.warnings):
            self.log.warn("{sentence}", sentence=sentence)
        host, _, port = facts.listen_addr.rpartition(":")
        self._address = (host, int(port))
        return Launch(
            binary=resolved.path,
            arguments=(*SERVE, str(self._layout.headscale_yaml)),
            environment=self._environ,
            version=resolved.version,
            trust=resolved.trust,
            socket_path=self._layout.headscale_socket,
            health=f"http://{facts.listen_addr}/health",
            warnings=(*report.corrections, *report.warnings),
        )

    def _facts(self) -> Facts:
        """Raises SettingsProblem or NoFreePort."""
        without_tls = self._config.server.public_url.scheme == "http"
        wanted = {"listen_addr": Transport.TCP, "metrics_listen_addr": Transport.TCP}
        if without_tls:
            wanted["derp.server.stun_listen_addr"] = Transport.UDP
        chosen = choose(self._file.remembered(), wanted, random=self._random)
        facts = Facts(
            layout=self._layout,
            server_url=self._config.server.public_url.text,
            listen_addr=chosen["listen_addr"],
            metrics_listen_addr=chosen["metrics_listen_addr"],
            derp=Derp.STUN_ONLY if without_tls else Derp.EMBEDDED,
        )
        return replace(facts, stun_listen_addr=chosen["derp.server.stun_listen_addr"]) if without_tls else facts

    def _say(self, sentence: str) -> None:
        self.log.info("{sentence}", sentence=sentence)
