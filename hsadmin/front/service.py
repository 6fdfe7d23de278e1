"""The public port as a service: opens its doors on sockets that were bound before, closes them in order, and answers for what goes on.

Stop: no new connections; tunnels and resting connections end; exchanges have `limits.stop` seconds; then whatever is left is cut. Every wait
is for a socket to close and has an end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from hsadmin.front.allow import Network, Target
from hsadmin.front.connection import Visitor
from hsadmin.front.doors import LocalRules, RedirectRules
from hsadmin.front.house import Door, House, Rules
from hsadmin.front.ledger import Ledger
from hsadmin.front.limits import Deadlines, FrontLimits, IPAddress, Rates, Source, Sources, source_of
from hsadmin.front.listeners import ListenSpec
from hsadmin.front.park import Park
from hsadmin.front.sockets import CarrierMaker, best
from hsadmin.front.transports import Address, Carrier, Port
from hsadmin.front.upstream import Pool
from hsadmin.interfaces import ICertificates, IFront
from hsadmin.model.front import AccessRecord, Listening, OpenStream


class Entrance:
    """Who is taken in at one listener; see transports.Entrance."""

    def __init__(self, door: Door, *, loopback_only: bool = False, proxies_only: bool = False) -> None:
        self._door = door
        self._loopback_only = loopback_only
        self._proxies_only = proxies_only

    def admit(self, peer: IPAddress | None) -> Visitor | None:
        source = self._source(peer)
        word = self._refusal(peer, source)
        if word:
            self._door.house.ledger.refused(word)
            return None
        return Visitor(self._door, peer, source)

    def _refusal(self, peer: IPAddress | None, source: Source | None) -> str:
        if peer is not None:
            if self._loopback_only and not peer.is_loopback:
                return "not-loopback"
            if self._proxies_only and not self._is_proxy(peer):
                return "untrusted-peer"
        return self._door.house.sources.refusal(source)

    def _source(self, peer: IPAddress | None) -> Source | None:
        return None if peer is None or self._is_proxy(peer) else source_of(peer)

    def _is_proxy(self, peer: IPAddress) -> bool:
        return any(peer in network for network in self._door.house.trusted_proxies)


@implementer(IFront)
class Front(Service):
    """`headscale` is asked for its address at each connect; `console` is the path of the console's Unix socket.

    `ready` answers /readyz of the local door. `drop_untrusted`: without TLS beyond loopback only trusted proxies may come in. `access` gets one
    record per finished request or tunnel, unless a `ledger` of another kind is given. `now` is wall-clock seconds; all deadlines go by the
    reactor's clock. `carrier` makes the connections: what is best on this platform, unless said otherwise.
    """

    name = "front"

    def __init__(
        self,
        reactor: Any,
        *,
        listeners: Sequence[ListenSpec],
        allow: Rules,
        certificates: ICertificates | None,
        headscale: Callable[[], Address],
        console: str,
        public_url: str,
        limits: FrontLimits,
        trusted_proxies: Sequence[Network] = (),
        drop_untrusted: bool = False,
        ready: Callable[[], tuple[bool, str]],
        access: Callable[[AccessRecord], None],
        now: Callable[[], float],
        carrier: CarrierMaker | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._reactor = reactor
        self._carrier: Carrier = (carrier or best)(reactor, linger=limits.linger)
        self._specs = listeners
        self._allow = allow
        self._certificates = certificates
        self._public_url = public_url
        self._drop_untrusted = drop_untrusted
        self._ready = ready
        self._open: list[tuple[Port, Listening]] = []
        self._waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []
        ledger = ledger or Ledger(access)
        deadlines = Deadlines(reactor)
        park = Park(reactor, most=limits.parked)

        def pool(name: str, address: Callable[[], Address], **more: Callable[[], None]) -> Pool:
            return Pool(
                reactor,
                self._carrier,
                name,
                address,
                deadlines=deadlines,
                rest=limits.rest,
                most=limits.pooled,
                connect=limits.connect,
                count=ledger.count,
                moved=self._moved,
                **more,
            )

        self._headscale = pool("headscale", headscale, reached=park.reached, failed=park.refused)
        self._console = pool("console", lambda: console)
        self._house = House(
            clock=reactor,
            now=now,
            limits=limits,
            pools={Target.HEADSCALE: self._headscale, Target.CONSOLE: self._console},
            park=park,
            sources=Sources(per_source=limits.per_source, total=limits.total),
            rates=Rates(reactor.seconds, limits.rates),
            deadlines=deadlines,
            ledger=ledger,
            trusted_proxies=trusted_proxies,
            moved=self._moved,
        )

    # — service —

    def startService(self) -> None:
        Service.startService(self)
        for spec in self._specs:
            port = self._carrier.listen(spec.socket, self._entrance(spec), self._certificates if spec.tls else None)
            self._open.append((port, Listening(address=spec.address, tls=spec.tls, purpose=spec.purpose)))

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        ports, self._open = self._open, []
        for (port, listening), spec in zip(ports, self._specs, strict=False):
            await maybeDeferred(port.stop)
            if listening.address.startswith("unix:") and not spec.shared:
                with suppress(FileNotFoundError):
                    os.unlink(listening.address.removeprefix("unix:"))
        house = self._house
        house.park.stop()
        self._end_tunnels("stopping")
        for visitor in list(house.visitors):
            visitor.leave()
        self._headscale.close()
        self._console.close()
        cut = self._reactor.callLater(house.limits.stop, self._cut)
        await self._when(self._is_empty)
        if cut.active():
            cut.cancel()

    def _cut(self) -> None:
        for visitor in list(self._house.visitors):
            visitor.cut()
        for tunnel in list(self._house.tunnels.values()):
            tunnel.cut()
        self._headscale.abort_all()
        self._console.abort_all()

    def _is_empty(self) -> bool:
        house = self._house
        return not (house.visitors or house.tunnels or self._headscale.links or self._console.links)

    def _entrance(self, spec: ListenSpec) -> Entrance:
        rules: Rules = self._allow
        if spec.purpose == "redirect":
            rules = RedirectRules(self._public_url)
        elif spec.purpose == "local":
            rules = LocalRules(self._ready)
        tls = spec.tls and self._certificates is not None
        door = Door(house=self._house, rules=rules, tls=tls, hsts=self._hsts if tls else _never)
        return Entrance(
            door,
            loopback_only=spec.purpose == "local",
            proxies_only=self._drop_untrusted and spec.purpose == "public",
        )

    def _hsts(self) -> bool:
        return self._certificates is not None and bool(self._certificates.publicly_trusted)

    # — IFront —

    def park(self) -> None:
        self._house.park.shut()

    def resume(self) -> None:
        self._house.park.open()

    async def close_tunnels(self) -> None:
        """Waits for the sockets to headscale only: what visitors have not read yet may take its time."""
        self._end_tunnels("restarting")
        for visitor in list(self._house.visitors):
            visitor.cut_upgrade()
        await self._when(lambda: not self._house.upstream_ends and self._headscale.all_busy)

    def _end_tunnels(self, note: str) -> None:
        for tunnel in list(self._house.tunnels.values()):
            tunnel.end(note)
        self._headscale.close_resting()

    def counters(self) -> Mapping[str, int]:
        return {**self._house.ledger.counters(), **self.gauges()}

    def gauges(self) -> dict[str, int]:
        """The counters that also fall."""
        house = self._house
        return {"connections.open": house.sources.now, "parked.now": len(house.park), "tunnels.open": len(house.ledger.streams)}

    def open_streams(self) -> Sequence[OpenStream]:
        return self._house.ledger.open_streams()

    def listening(self) -> Sequence[Listening]:
        return [listening for _, listening in self._open]

    # — waiting for sockets —

    async def _when(self, condition: Callable[[], bool]) -> None:
        if not condition():
            done: Deferred[None] = Deferred()
            self._waiting.append((condition, done))
            await done

    def _moved(self) -> None:
        if self._waiting:
            met = [(condition, done) for condition, done in self._waiting if condition()]
            self._waiting = [one for one in self._waiting if one not in met]
            for _, done in met:
                done.callback(None)


def _never() -> bool:
    return False
