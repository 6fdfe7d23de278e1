"""Where rooms meet. A room implements one of these or is given one; it never imports another room.

Methods that wait are coroutines. Every failure a person could see is an `hsadmin.errors.Problem`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from zope.interface import Attribute, Interface

from hsadmin.model.engine import EngineState
from hsadmin.model.front import Listening, OpenStream
from hsadmin.model.keys import ApiKey, NewKey, PreAuthKey
from hsadmin.model.nodes import Node
from hsadmin.model.policy import Policy
from hsadmin.model.users import User
from hsadmin.model.waiting import CheckId, RegistrationId


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
        """Sentences on where the running headscale's contract differs from ours; empty when it agrees.

        Until the next `up`, writes by calls that differ are refused with HeadscaleUnsupported.
        """

    headscale = Attribute("IHeadscale: always the same object; its calls raise HeadscaleDown while nothing is up")


class ICertificates(Interface):
    """The certificate that the TLS port shows now."""

    publicly_trusted = Attribute("bool: the chain verifies against the system's trust store; only then HSTS is sent")
    summary = Attribute("str: mode, subject and end of validity in one sentence, for status pages and logs")

    def context() -> Any:
        """The current `OpenSSL.SSL.Context` for a new connection; changes as certificates are swapped, open connections keep theirs."""

    def ssl_context(server_name: str | None, alpn: Sequence[str]) -> ssl.SSLContext:
        """As `context`, of the standard library, for a connection whose ClientHello names this server and offers these protocols."""

    def pem() -> tuple[bytes, bytes]:
        """Chain and key of that certificate in PEM, for processes of ours that show it as well."""

    def watch(changed: Callable[[None], None]) -> Callable[[], None]:
        """Calls `changed` with None after every swap; the answer ends that."""

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

    Values are those of `hsadmin.model` (users, nodes, keys, policy, waiting), lists come sorted by id and whole. Inputs are checked before
    headscale is asked. Every call has a deadline that grows with the tailnet. Raises HeadscaleDown (HeadscaleSlow: it may have happened all
    the same), HeadscaleUnknown (there is no such thing), HeadscaleRefused (its subclasses say why). After HeadscaleHalfDone, and after a
    write that ended in HeadscaleDown, read again: the change may be there.
    """

    async def list_users() -> Sequence[User]:
        """Everybody."""

    async def create_user(name: str, *, display_name: str = "", email: str = "", picture_url: str = "") -> User:
        """headscale has no call to change the other three later. HeadscaleConflict when the name is taken."""

    async def rename_user(user_id: int, name: str) -> User:
        """The name of an OIDC user is written over at the next sign-in."""

    async def delete_user(user_id: int) -> None:
        """With all pre-auth keys the user made, tagged ones too. HeadscaleConflict while nodes are left."""

    async def list_preauth_keys() -> Sequence[PreAuthKey]:
        """All keys of all users, masked."""

    async def create_preauth_key(
        *, expires: datetime, owner_id: int | None = None, tags: Sequence[str] = (), reusable: bool = False, ephemeral: bool = False
    ) -> NewKey:
        """Needs an owner or tags; with both, nodes become tagged. `expires` is aware and ahead. The only time the text is known."""

    async def expire_preauth_key(key_id: int) -> None:
        """Nodes that joined with it stay."""

    async def delete_preauth_key(key_id: int) -> None:
        """Nodes that joined with it stay; ephemeral ones stop being so at headscale's next start."""

    async def list_api_keys() -> Sequence[ApiKey]:
        """Masked."""

    async def create_api_key(*, expires: datetime) -> NewKey:
        """`id` of the answer is None where it cannot be told which of the listed keys it is."""

    async def expire_api_key(key_id: int) -> None:
        """From now on it opens nothing."""

    async def delete_api_key(key_id: int) -> None:
        """As expire, and it leaves the list."""

    async def list_nodes() -> Sequence[Node]:
        """The one answer that says what nodes serve (`routes.serving`)."""

    async def get_node(node_id: int) -> Node:
        """Without `routes.serving`, as all single nodes below."""

    async def rename_node(node_id: int, name: str) -> Node:
        """Sticks from now on, whatever the device calls itself. Lower-cased."""

    async def set_tags(node_id: int, tags: Sequence[str]) -> Node:
        """Replaces all tags, at least one; the node stops belonging to a user, and there is no way back by any call."""

    async def set_approved_routes(node_id: int, routes: Sequence[str]) -> Node:
        """Replaces the list; one exit route brings the other. What the policy approves by itself comes back."""

    async def expire_node(node_id: int, at: datetime | None = None) -> Node:
        """The device must sign in again: now, or from `at` (ahead) on."""

    async def never_expire_node(node_id: int) -> Node:
        """Also brings an expired device back without a sign-in."""

    async def delete_node(node_id: int) -> None:
        """Expire a connected node first, wait a second, and cut its tunnel: else its device never notices, and headscale cannot stop."""

    async def backfill_addresses() -> Sequence[str]:
        """Gives every node the addresses that the configured prefixes ask for; lines on what changed. Slow: half a second per change."""

    async def register_node(waiting: RegistrationId, owner_id: int) -> Node:
        """Lets a waiting device in. HeadscaleConflict where headscale cannot address this user, HeadscaleUnknown when nothing waits."""

    async def approve_check(waiting: CheckId) -> None:
        """Lets a waiting SSH session go on."""

    async def reject_check(waiting: CheckId) -> None:
        """Ends a waiting SSH session."""

    async def seed_node(waiting: RegistrationId, owner_id: int, host_name: str, routes: Sequence[str] = ()) -> None:
        """For tests: makes `waiting` up, as if a device had asked. `register_node` makes a node of it, always offline."""

    async def get_policy() -> Policy | None:
        """The stored text, byte for byte; None when none is stored, which means everybody reaches everything."""

    async def check_policy(text: str) -> None:
        """Changes nothing. HeadscaleInvalid with headscale's words, failing tests of the policy itself among them."""

    async def set_policy(text: str, *, expected: str | None = None) -> Policy:
        """Checks, stores, reads back. With `expected`, HeadscaleConflict unless that is what is stored now ("" for nothing).

        PolicyDoubtful: what runs and what is stored may differ; have headscale reload (SIGHUP), and read again.
        """

    async def healthy() -> bool:
        """Whether headscale reaches its database."""
