"""Where rooms meet. A room implements one of these or is given one; it never imports another room.

Methods that wait are coroutines. Every failure a person could see is an `hsadmin.errors.Problem`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zope.interface import Attribute, Interface

from hsadmin.model.engine import EngineState
from hsadmin.model.front import Listening, OpenStream


class IEngine(Interface):
    """The supervised headscale."""

    def state() -> EngineState:
        """A snapshot of now."""

    def watch(changed: Callable[[EngineState], None]) -> Callable[[], None]:
        """Calls `changed` at every later change, in order; the answer ends that."""

    async def restart() -> None:
        """Stops what runs and starts it anew; returns once the stop is done and the start is under way."""


class IReleases(Interface):
    """Finds a headscale binary that may be run."""

    async def resolve(say: Callable[[str], None]) -> Any:
        """A `Resolved` (path, version, sha256, trust, how); `say` gets one sentence per step. Raises ReleaseProblem."""


class IHeadscaleLink(Interface):
    """The way to the running headscale; one connection per child start."""

    def up(socket_path: Path) -> None:
        """A new child was spawned that will listen on `socket_path`."""

    def down() -> None:
        """The child is gone, or is about to be told to go: open calls fail with HeadscaleDown."""

    async def healthy() -> bool:
        """Whether gRPC Health answers and says that the database does; False, never an exception, when not."""

    async def drift() -> Sequence[str]:
        """Sentences on where the running headscale's contract differs from ours; empty when it agrees."""


class ICertificates(Interface):
    """The certificate that the TLS port shows now."""

    publicly_trusted = Attribute("bool: the chain verifies against the system's trust store; only then HSTS is sent")
    summary = Attribute("str: mode, subject and end of validity in one sentence, for status pages and logs")

    def context() -> Any:
        """The current `OpenSSL.SSL.Context` for a new connection; changes as certificates are swapped, open connections keep theirs."""

    def reload() -> str | None:
        """Looks at the sources again. None when unchanged, else a sentence on what was swapped, or on why the old pair stays."""

    def ca_pem() -> bytes | None:
        """The certificate authority that visitors must trust, in self-signed mode; else None."""


class IFront(Interface):
    """The public port."""

    def park() -> None:
        """headscale is away: hold what may wait, answer 503 to the rest."""

    def resume() -> None:
        """headscale is back: parked requests go on, in order of arrival."""

    async def close_tunnels() -> None:
        """Ends every tunnel and pooled connection to headscale; returns when their sockets are closed."""

    def counters() -> Mapping[str, int]:
        """Monotonic counts since start, by stable dotted names: `requests.<route>`, `refused.<word>`, `tunnels.opened`, `bytes.derp.received`, …"""

    def open_streams() -> Sequence[OpenStream]:
        """Tunnels open now, oldest first."""

    def listening() -> Sequence[Listening]:
        """Sockets that are open now."""


class IHeadscale(Interface):
    """What headscale can be asked, in our words; adapters: headscale.rpc (gRPC, up to 0.29), headscale.rest (HTTP, from 0.30).

    Values are those of `hsadmin.model` (users, nodes, keys). Every call has a deadline. Raises HeadscaleDown, HeadscaleRefused or NotFound.
    """

