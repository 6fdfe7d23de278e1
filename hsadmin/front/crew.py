"""The public port served by several processes: the same Front in each of N workers, which share the listening sockets.

The main process holds the sockets, knows how things stand (headscale's address, parked or not, the certificate), tells every worker of each
change, and sums up what they report. It touches no visitor's byte. A worker that dies, or says nothing for a while, is replaced at once; its
tunnels are gone, those of the others are not.

The end of the main process, however it comes, is the end of the workers: see worker.prison.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from hsadmin.errors import FrontWorkerFailed
from hsadmin.front.listeners import ListenSpec
from hsadmin.front.member import Member
from hsadmin.front.tally import Tally
from hsadmin.front.terms import Terms
from hsadmin.front.transports import Address
from hsadmin.front.wire import FIRST_DOOR, Begin, Certificate, CloseTunnels, Door, Report, Standing, Stop
from hsadmin.interfaces import ICertificates, IFront
from hsadmin.model.front import AccessRecord, Listening, OpenStream

START = 30.0  # seconds until a worker listens
ORDER = 20.0  # until it has closed its tunnels to headscale
LOOK = 5.0  # between two looks at who is silent; a worker reports at least as often
SILENT = 6  # looks
AT_ONCE = 10  # replacements within a minute; more wait
WAIT = 5.0


@implementer(IFront)
class Crew(Service):
    """`terms` are those of all workers together. The rest is as with Front; `environ` is ours, of which workers get a few variables."""

    name = "front"
    log = Logger()

    def __init__(
        self,
        reactor: Any,
        *,
        workers: int,
        listeners: Sequence[ListenSpec],
        terms: Terms,
        certificates: ICertificates | None,
        headscale: Callable[[], Address],
        ready: Callable[[], tuple[bool, str]],
        access: Callable[[AccessRecord], None] | None,
        now: Callable[[], float],
        environ: Mapping[str, str],
    ) -> None:
        self._reactor = reactor
        self._workers = workers
        self._specs = list(listeners)
        self._terms = terms.share(workers)
        self._certificates = certificates
        self._headscale = headscale
        self._ready = ready
        self._access = access
        self._now = now
        self._environ = environ
        self._members: dict[int, Member] = {}
        self._tally = Tally()
        self._numbers = 0
        self._parked = False
        self._told: dict[str, Any] = {}  # how things stood when workers were last told
        self._stopping = False
        self._unwatch: Callable[[], None] = _nothing
        self._replaced: deque[float] = deque(maxlen=AT_ONCE)
        self._later: set[IDelayedCall] = set()
        self._looks = LoopingCall(self._look)
        self._looks.clock = reactor

    # — service —

    def startService(self) -> Deferred[None]:
        Service.startService(self)
        return Deferred.fromCoroutine(self._start())

    async def _start(self) -> None:
        """Raises FrontWorkerFailed; then none is left."""
        self._stopping = False
        if self._certificates is not None:
            self._unwatch = self._certificates.watch(self._certificate)
        try:
            await self._begin()
        except FrontWorkerFailed:
            await self.stopService()
            raise
        self._looks.start(LOOK, now=False)

    async def _begin(self) -> None:
        try:
            first = [self._spawn() for _ in range(self._workers)]
        except OSError as fault:
            raise FrontWorkerFailed(f"A front worker could not be started: {fault.strerror}.") from fault
        for member in first:
            if not await self._comes_up(member):
                raise FrontWorkerFailed(f"A front worker did not begin to listen: {member.last_words or f'it took over {START:.0f} s'}.")

    async def _comes_up(self, member: Member) -> bool:
        """Or is gone, or was slow and is killed."""
        timer = self._reactor.callLater(START, member.kill)
        self._later.add(timer)
        member.gone.wait().addCallback(lambda _none: member.up.set())
        await member.up.wait()
        self._later.discard(timer)
        if timer.active():
            timer.cancel()
        return not member.gone.come

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._stopping = True
        self._unwatch()
        self._unwatch = _nothing
        if self._looks.running:
            self._looks.stop()
        while self._later:
            timer = self._later.pop()
            if timer.active():
                timer.cancel()
        for spec in self._specs:
            _close(spec)
        members = list(self._members.values())
        patience = self._terms.limits.stop + self._terms.limits.linger + 5.0
        late = [self._reactor.callLater(patience, member.kill) for member in members]
        for member in members:
            member.order(Stop)
        for member in members:
            await member.gone.wait()
        for timer in late:
            if timer.active():
                timer.cancel()

    def workers(self) -> Sequence[int]:
        """Process ids of those that listen."""
        return [member.pid for member in self._members.values() if member.up.come]

    def settled(self) -> bool:
        """Whether every order so far has been carried out by all of them."""
        return all(member.settled for member in self._members.values())

    # — members —

    def _spawn(self) -> Member:
        self._numbers += 1
        number = self._numbers
        member = Member(number, self)
        member.spawn(self._reactor, self._specs, self._environ)
        self._members[number] = member
        self._tally.began(number)
        doors = tuple(
            Door(fd=FIRST_DOOR + at, tls=spec.tls, purpose=spec.purpose, address=spec.address) for at, spec in enumerate(self._specs)
        )
        member.order(Begin, doors=doors, terms=self._terms, first_id=number << 32, access=self._access is not None)
        if self._certificates is not None:
            member.order(Certificate, **self._shown())
        member.order(Standing, **self._stands())
        return member

    def reported(self, member: Member, report: Report) -> None:
        self._tally.told(member.number, report)
        self._write(report.records)

    def ended(self, member: Member) -> None:
        del self._members[member.number]
        self._write(self._tally.ended(member.number, self._now()))
        if self._stopping:
            return
        self._tally.count("workers.lost")
        self.log.warn("Front worker {pid} is gone, and its tunnels with it; another takes its place.", pid=member.pid)
        if member.up.come or self._looks.running:  # else the start has failed, and says so
            self._replace()

    def _replace(self) -> None:
        now = self._reactor.seconds()
        if len(self._replaced) == AT_ONCE and now - self._replaced[0] < 60.0:
            self._later.add(self._reactor.callLater(WAIT, self._replace_now))
        else:
            self._replace_now()
        self._replaced.append(now)

    def _replace_now(self) -> None:
        self._later = {timer for timer in self._later if timer.active()}
        try:
            member = self._spawn()
        except OSError as fault:
            self.log.error("A front worker could not be started: {why}.", why=fault.strerror)
            self._later.add(self._reactor.callLater(WAIT, self._replace_now))
        else:
            Deferred.fromCoroutine(self._comes_up(member))

    def _look(self) -> None:
        """By the number of looks, not by time: when we ourselves were held up, nobody else is to blame."""
        for member in list(self._members.values()):
            member.silent += 1
            if member.silent > SILENT:
                self.log.error(
                    "Front worker {pid} has said nothing for {seconds} s; it is replaced.", pid=member.pid, seconds=SILENT * LOOK
                )
                member.kill()

    def _write(self, records: Sequence[AccessRecord]) -> None:
        if self._access is not None:
            for record in records:
                self._access(record)

    # — how things stand —

    def _stands(self) -> dict[str, Any]:
        ready, sentence = self._ready()
        host, port = _host_and_port(self._headscale())
        return {"parked": self._parked, "ready": ready, "sentence": sentence, "host": host, "port": port}

    def _shown(self) -> dict[str, Any]:
        certificates = self._certificates
        assert certificates is not None
        chain, key = certificates.pem()
        return {"chain": chain, "key": key, "publicly_trusted": bool(certificates.publicly_trusted), "summary": str(certificates.summary)}

    def _certificate(self, _now: object = None) -> None:
        shown = self._shown()
        for member in self._members.values():
            member.order(Certificate, **shown)

    def _tell(self) -> None:
        stands = self._stands()
        if stands == self._told:
            return
        self._told = stands
        for member in self._members.values():
            member.order(Standing, **stands)

    # — IFront —

    def park(self) -> None:
        self._parked = True
        self._tell()

    def resume(self) -> None:
        self._parked = False
        self._tell()

    async def close_tunnels(self) -> None:
        """A worker that does not answer in time is killed: its sockets are closed then."""
        members = list(self._members.values())
        late = [self._reactor.callLater(ORDER, member.kill) for member in members]
        await gatherResults([member.order(CloseTunnels) for member in members])
        for timer in late:
            if timer.active():
                timer.cancel()

    def counters(self) -> Mapping[str, int]:
        return {**self._tally.counters(), "workers.running": len(self.workers())}

    def open_streams(self) -> Sequence[OpenStream]:
        return self._tally.open_streams()

    def listening(self) -> Sequence[Listening]:
        if not (self.running and self.workers()):
            return []
        return [Listening(address=spec.address, tls=spec.tls, purpose=spec.purpose) for spec in self._specs]


def _host_and_port(address: Address) -> tuple[str, int]:
    assert isinstance(address, tuple), "headscale listens on TCP"
    return address


def _close(spec: ListenSpec) -> None:
    spec.socket.close()
    if spec.address.startswith("unix:"):
        with suppress(OSError):
            os.unlink(spec.address.removeprefix("unix:"))


def _nothing() -> None: ...
