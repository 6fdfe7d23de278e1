"""What the console is given: interfaces of other rooms, and the few facts about this server that its pages tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hsadmin.interfaces import ICertificates, IEngine, IFront, IHeadscale
from hsadmin.model.lag import Lag


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """`certificates` is None when TLS is off; `started` is wall-clock seconds, as `now` tells them."""

    engine: IEngine
    front: IFront
    headscale: IHeadscale
    certificates: ICertificates | None
    public_url: str  # what clients are told with --login-server
    tls_mode: str  # tls.mode of hsadmin.yaml
    started: float
    now: Callable[[], float]
    lag: Callable[[], Lag]
