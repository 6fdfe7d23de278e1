"""A worker: carries out orders in turn, runs a Front, and tells what happens.

    (born, Begin) -> begun      (begun, Certificate) -> begun      (begun, Standing) -> up: the sockets are open, and Up is told
    (up, Certificate | Standing | CloseTunnels) -> up              (any, Stop) -> gone

Orders are carried out one after the other, so that Done of one means Done of all before it. The end of the control pipe is the end of the main
process: then nothing is closed in order, the process just goes.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet import protocol
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import LogEvent, Logger, LogLevel, formatEvent
from twisted.python.failure import Failure

from hsadmin.errors import Problem
from hsadmin.front.listeners import ListenSpec
from hsadmin.front.service import Front
from hsadmin.front.sockets import CarrierMaker
from hsadmin.front.transports import Address
from hsadmin.front.wire import (
    Begin,
    Certificate,
    CloseTunnels,
    Done,
    Heard,
    Said,
    Standing,
    Stop,
    Tale,
    Up,
    WireFault,
    frame,
    orders,
)
from hsadmin.front.worker.journal import Journal
from hsadmin.interfaces import ICertificates

REPORT_EVERY = 0.25  # seconds
BEAT = 20  # of these without news, and a report is sent all the same: the worker lives


Task = Begin | Certificate | Standing | CloseTunnels | Stop


class Take(Protocol):
    """Puts a certificate in force. Raises CertificateProblem; then the one before stays."""

    def __call__(self, chain: bytes, key: bytes, *, publicly_trusted: bool, summary: str) -> None: ...


class Worker(protocol.Protocol):
    """The worker's end of the control pipe. `gone` is called once, when the process may end.

    `certificates` and the way to change what they show come from outside, as this room knows nothing of certificates.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        *,
        certificates: ICertificates,
        take: Take,
        now: Callable[[], float],
        gone: Callable[[], None],
        carrier: CarrierMaker | None = None,
    ) -> None:
        self._reactor = reactor
        self._carrier = carrier
        self._certificates = certificates
        self._take_certificate = take
        self._now = now
        self._gone = gone
        self._orders = orders()
        self._todo: deque[Task] = deque()
        self._busy = self._over = False
        self._front: Front | None = None
        self._journal: Journal | None = None
        self._standing = Standing(number=0, parked=True, ready=False, sentence="", host="", port=0)
        self._sent = self._heard = self._quiet = 0
        self._reports = LoopingCall(self._report)
        self._reports.clock = reactor

    # — the pipe —

    def dataReceived(self, data: bytes) -> None:
        try:
            for order in self._orders.feed(data):
                if isinstance(order, Heard):
                    self._heard = order.report
                else:
                    self._todo.append(order)
        except WireFault:
            self.log.failure("The main process said something that is no order")
            self._end()
            return
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._work())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._end()

    def observe(self, event: LogEvent) -> None:
        """A log observer: what this process has to say is written by the main process."""
        level = event.get("log_level") or LogLevel.info
        if level is LogLevel.debug or self._over:
            return
        failure = event.get("log_failure")
        traceback = f"\n{failure.getTraceback()}" if isinstance(failure, Failure) else ""
        self._tell(Said(level=level.name, namespace=str(event.get("log_namespace") or ""), text=formatEvent(event) + traceback))

    def _tell(self, tale: Tale) -> None:
        if self.transport is not None:
            self.transport.write(frame(tale))

    # — orders —

    async def _work(self) -> None:
        try:
            while self._todo:
                order = self._todo.popleft()
                await self._carry_out(order)
                self._tell(Done(number=order.number))
                if isinstance(order, Stop):
                    self._leave()
        except Exception:  # noqa: BLE001 - half an order carried out is a state that nobody knows; a new worker has none
            self.log.failure("A front worker cannot go on")
            self._leave()
        finally:
            self._busy = False

    async def _carry_out(self, order: Task) -> None:
        match order:
            case Begin():
                self._begin(order)
            case Certificate():
                self._take(order)
            case Standing():
                self._stand(order)
            case CloseTunnels() if self._front is not None:
                await self._front.close_tunnels()
            case Stop() if self._front is not None and self._front.running:
                await self._front.stopService()
                self._report(last=True)

    def _begin(self, order: Begin) -> None:
        terms = order.terms
        self._journal = Journal(first_id=order.first_id, access=order.access)
        self._front = Front(
            self._reactor,
            listeners=[
                ListenSpec(socket.socket(fileno=door.fd), tls=door.tls, purpose=door.purpose, address=door.address, shared=True)
                for door in order.doors
            ],
            allow=terms.allow(),
            certificates=self._certificates if any(door.tls for door in order.doors) else None,
            headscale=self._headscale,
            console=terms.console_socket,
            public_url=terms.public_url,
            limits=terms.limits,
            trusted_proxies=terms.proxies(),
            drop_untrusted=terms.drop_untrusted,
            ready=lambda: (self._standing.ready, self._standing.sentence),
            access=_nobody,
            now=self._now,
            ledger=self._journal,
            carrier=self._carrier,
        )

    def _take(self, order: Certificate) -> None:
        try:
            self._take_certificate(order.chain, order.key, publicly_trusted=order.publicly_trusted, summary=order.summary)
        except Problem as problem:
            self.log.error("{sentence}", sentence=problem.sentence)

    def _stand(self, order: Standing) -> None:
        front = self._front
        assert front is not None, "Begin is the first order"
        self._standing = order
        (front.park if order.parked else front.resume)()
        if not front.running:
            front.startService()
            self._reports.start(REPORT_EVERY, now=False)
            self._tell(Up())

    def _headscale(self) -> Address:
        return self._standing.host, self._standing.port

    # — reports —

    def _report(self, *, last: bool = False) -> None:
        """One is under way at a time: a main process that is behind is not buried."""
        if self._front is None or self._journal is None or (self._sent != self._heard and not last):
            return
        self._quiet += 1
        report = self._journal.report(self._sent + 1, self._front.gauges(), always=last or self._quiet >= BEAT)
        if report is not None:
            self._quiet = 0
            self._sent = report.number
            self._tell(report)

    # — the end —

    def _leave(self) -> None:
        """What is written leaves first; the main process closes its end in turn, or is gone."""
        if self._reports.running:
            self._reports.stop()
        if self.transport is not None:
            self.transport.loseConnection()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._gone()


def _nobody(record: object) -> None:
    """The journal has it."""
