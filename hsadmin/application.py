"""The composition root: builds every part and introduces neighbours. The only module that knows all of them.

Nothing is opened before the service starts, since twistd may fork between making it and starting it. Then, top down:

    ground     umask, clock, descriptors, the work directory's lock
    logs, lag, signals
    certificates
    console    console.sock (the front's upstream) and admin.sock (the command line's)
    engine     headscale; its start is under way, not awaited
    trial      in a trial only: the greeting
    front      the listeners, here or in processes of their own
    notify     READY=1: the front listens, whatever headscale does
    collector  what is there now stays
"""

from __future__ import annotations

import datetime
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import SystemRandom
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.components import Componentized
from twisted.python.systemd import ListenFDs

from hsadmin.certificates.files import Files
from hsadmin.certificates.selfsigned import SelfSigned
from hsadmin.certificates.service import Certificates
from hsadmin.config import Config, Listen, TlsMode
from hsadmin.config import Kind as ListenKind
from hsadmin.console.neighbours import Neighbours
from hsadmin.console.sites import admin_site, console_site
from hsadmin.engine.readiness import LIMIT
from hsadmin.engine.supervisor import UNWELL, Supervisor
from hsadmin.errors import Problem
from hsadmin.front.crew import Crew
from hsadmin.front.limits import FrontLimits, total_for
from hsadmin.front.listeners import Inherited, ListenSpec, bind
from hsadmin.front.service import Front
from hsadmin.front.terms import ConsoleTerms, Terms
from hsadmin.headscale.link import Link
from hsadmin.jobs.trial import Trial
from hsadmin.model.engine import EngineState, Phase
from hsadmin.model.layout import Layout
from hsadmin.preparation import Preparation
from hsadmin.system.collector import Collector
from hsadmin.system.lag import LagMeter
from hsadmin.system.logs import Logs
from hsadmin.system.notify import Notify
from hsadmin.system.ring import Ring
from hsadmin.system.services import InOrder
from hsadmin.system.signals import Signals
from hsadmin.system.workdir import WorkDir

log = Logger()


class Hsadmin(Service):
    """The whole program. `leave` ends the process with a status, after everything was stopped."""

    name = "hsadmin"

    def __init__(
        self,
        reactor: Any,
        config: Config,
        *,
        environ: Mapping[str, str],
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._environ = environ
        self._leave = leave
        self._logs = Logs(level=config.log.level, format=config.log.format, file=config.log.file)
        self._parts: InOrder | None = None
        self._ground = Ground(reactor, config)

    def setServiceParent(self, parent: Any) -> None:
        """twistd hands its application here, before it begins to log."""
        if isinstance(parent, Componentized):
            self._logs.adopt(parent)
        Service.setServiceParent(self, parent)

    def startService(self) -> None:
        Service.startService(self)
        try:
            self._ground.lay()
            self._parts = self._compose()
        except Problem as problem:
            self._failed(problem)
            return
        self._parts.startService()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        stopped = succeed(None) if self._parts is None else self._parts.stopService()
        return stopped.addCallback(lambda _none: self._ground.clear())

    # — parts —

    def _compose(self) -> InOrder:
        config, reactor = self._config, self._reactor
        layout = Layout(config.work_dir)
        public_url = config.server.public_url.text
        logs = self._logs
        certificates = self._certificates(layout)
        preparation = Preparation(reactor, config, layout, environ=self._environ, random=SystemRandom())
        link = Link(reactor, time.time)
        lag = LagMeter(reactor, now=time.time)
        front = self._front(
            certificates,
            headscale=preparation.headscale_address,
            console=layout.console_socket,
            ready=lambda: _readiness(supervisor.state()),
        )
        supervisor = Supervisor(
            reactor,
            prepare=preparation.prepare,
            connect=lambda launch: link.up(launch.socket_path),
            disconnect=link.down,
            ready_checks=[link.healthy],
            before_stop=front.close_tunnels,
            record=layout.run / "headscale.pid",
            ring=Ring(),
            log=Logger("hsadmin.headscale"),
            now=time.time,
            inspect=link.drift,
            start_limit=lambda: _start_limit(layout.database),
        )
        near = Neighbours(
            engine=supervisor,
            front=front,
            headscale=link.headscale,
            certificates=certificates,
            public_url=public_url,
            tls_mode=config.tls.mode,
            started=time.time(),
            now=time.time,
            lag=lag.read,
        )
        notify = Notify(reactor, self._environ, lambda: _readiness(supervisor.state())[1])

        def changed(state: EngineState) -> None:
            (front.resume if state.phase is Phase.READY else front.park)()
            notify.changed()

        front.park()
        supervisor.watch(changed)

        def hangup() -> None:
            log.info("SIGHUP: looking again at certificates and log files")
            logs.reopen()
            if certificates is not None:
                certificates.reload()

        parts = InOrder(self._failed)
        services: list[IService | None] = [
            logs,
            lag,
            Signals(reactor, stopping=supervisor.stopping, hangup=hangup),
            certificates,
            console_site(reactor, layout.console_socket, near, auth_disabled=config.auth.disabled),
            admin_site(reactor, layout.admin_socket, near),
            preparation,
            supervisor,
            Trial(supervisor, link.headscale, url=public_url, tell=logs.terminal, now=time.time) if config.trial else None,
            front,
            notify,
            Collector(),
        ]
        for service in services:
            if service is not None:
                service.setServiceParent(parts)
        return parts

    def _certificates(self, layout: Layout) -> Certificates | None:
        """Raises CertificateProblem."""
        tls, server = self._config.tls, self._config.server

        def now() -> datetime.datetime:
            return datetime.datetime.now(datetime.UTC)

        def say(sentence: str) -> None:
            log.warn("{sentence}", sentence=sentence)

        if tls.mode is TlsMode.FILES and tls.cert is not None and tls.key is not None:
            return Certificates(self._reactor, Files(tls.cert, tls.key), mode=tls.mode, now=now, say=say)
        if tls.mode is TlsMode.SELF_SIGNED:
            source = SelfSigned(layout.tls, (server.public_url.host, *server.extra_hosts), now)
            return Certificates(self._reactor, source, mode=tls.mode, now=now, say=say, ca_pem=source.ca_pem)
        return None

    def _listeners(self) -> list[ListenSpec]:
        """Raises ListenFailed; then whatever was bound before is closed with the process."""
        server = self._config.server
        tls = self._config.tls.mode is not TlsMode.OFF
        inherited = Inherited(ListenFDs.fromEnvironment())
        return [
            *(bind(_form(listen), tls=tls, purpose="public", inherited=inherited) for listen in server.listen),
            *(bind(_form(listen), tls=False, purpose="redirect", inherited=inherited) for listen in server.redirect_listen),
            *(bind(_form(listen), tls=False, purpose="local", inherited=inherited) for listen in server.local_listen),
        ]

    def _front(
        self,
        certificates: Certificates | None,
        *,
        headscale: Callable[[], tuple[str, int]],
        console: Path,
        ready: Callable[[], tuple[bool, str]],
    ) -> Front | Crew:
        """In this process, or in `front.workers` others; the terms are the same. Raises ListenFailed."""
        listeners, terms = self._listeners(), self._terms(console)
        access = self._logs.access if self._config.log.access else None
        if self._config.front.workers:
            return Crew(
                self._reactor,
                workers=self._config.front.workers,
                listeners=listeners,
                terms=terms,
                certificates=certificates,
                headscale=headscale,
                ready=ready,
                access=access,
                now=time.time,
                environ=self._environ,
            )
        return Front(
            self._reactor,
            listeners=listeners,
            allow=terms.allow(),
            certificates=certificates,
            headscale=headscale,
            console=terms.console_socket,
            public_url=terms.public_url,
            limits=terms.limits,
            trusted_proxies=terms.proxies(),
            drop_untrusted=terms.drop_untrusted,
            ready=ready,
            access=access or (lambda record: None),
            now=time.time,
        )

    def _terms(self, console: Path) -> Terms:
        server, auth = self._config.server, self._config.auth
        url = server.public_url
        return Terms(
            minor=self._config.headscale.version.rpartition(".")[0],
            hosts=frozenset(_host(host) for host in server.hosts),
            root=server.root,
            own_origin=url.text.encode(),
            public_url=url.text,
            console=ConsoleTerms(
                open=auth.disabled,
                loopback_only=auth.disabled,
                from_networks=tuple(map(str, server.console_allow_from)),
                public_signup=server.public_signup,
            ),
            console_socket=str(console),
            limits=self._limits(),
            trusted_proxies=tuple(map(str, server.trusted_proxies)),
            drop_untrusted=self._config.drops_untrusted,
        )

    def _limits(self) -> FrontLimits:
        limits = self._config.limits
        processes = self._config.front.workers or 1
        return FrontLimits(
            handshake=limits.handshake_seconds,
            head=limits.head_seconds,
            idle=limits.idle_seconds,
            body=limits.body_seconds,
            park=limits.park_seconds,
            parked=limits.parked_requests,
            per_source=limits.connections_per_source,
            total=limits.connections_total or processes * total_for(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        )

    # — when it cannot go on —

    def _failed(self, fault: BaseException) -> None:
        """One sentence on stderr, everything stopped, and the status that belongs to the fault."""
        if isinstance(fault, Problem):
            sentence, status = fault.sentence, fault.exit_status
        else:
            log.critical("hsadmin cannot start: {fault!r}", fault=fault)
            sentence, status = f"hsadmin cannot start: {type(fault).__name__}; its log says more.", 70
        print(sentence, file=sys.__stderr__, flush=True)  # twistd makes sys.stderr a log; whoever started us must see this
        self._reactor.addSystemEventTrigger("after", "shutdown", self._end, status)
        self._reactor.callWhenRunning(self._reactor.stop)

    def _end(self, status: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._leave(status)


class Ground:
    """What the process itself needs before anything is opened; `clear` gives the work directory back."""

    def __init__(self, reactor: Any, config: Config) -> None:
        self._reactor = reactor
        self._work_dir = WorkDir(Layout(config.work_dir))

    def lay(self) -> None:
        """Raises WorkDirBusy or WorkDirUnusable."""
        os.umask(0o077)
        # Timers must not jump with the wall clock; Twisted's own default is time.time.
        self._reactor.seconds = time.monotonic
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._work_dir.take()

    def clear(self) -> None:
        self._work_dir.release()


def _start_limit(database: Path) -> float:
    """Seconds that headscale may take to get ready: its start grows with the square of the nodes, 10,000 of which took 46 s from a file of 14 MiB."""
    try:
        mebibytes = database.stat().st_size / (1 << 20)
    except OSError:
        mebibytes = 0.0
    return LIMIT + 20.0 * mebibytes


def _readiness(state: EngineState) -> tuple[bool, str]:
    """For /readyz and systemd's status line."""
    if state.phase is Phase.READY and UNWELL in state.warnings:
        return False, UNWELL
    if state.phase is Phase.READY:
        return True, f"headscale {state.version} is ready."
    return False, state.reason or f"headscale: {state.phase}."


def _form(listen: Listen) -> str:
    """As the front's `bind` takes it; a relative socket path was made absolute when the configuration was read."""
    return f"unix:{listen.path}" if listen.kind is ListenKind.UNIX else listen.text


def _host(host: str) -> bytes:
    return f"[{host}]".encode() if ":" in host else host.encode()
