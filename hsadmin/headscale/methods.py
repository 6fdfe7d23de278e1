"""The 29 calls in one table: their messages, how long each may take, and what may be asked twice.

`METHODS` is checked against the compiled contract by a test, so a call that is in the .proto and not here does not go unnoticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from google.protobuf.message import Message

from hsadmin.headscale.pb import headscale_pb2 as pb

SERVICE = "headscale.v1.HeadscaleService"
CROWD = 4000  # nodes at which headscale's work, quadratic in nodes, takes as long again as what does not depend on them


class Patience(Enum):
    """How long an answer may take, in seconds, with few nodes.

    Writes to nodes wait for headscale's own batches (0.5 s each, several per call); a policy is compiled once or twice over.
    """

    READ = 10.0
    WRITE = 30.0
    POLICY = 60.0


class Method(NamedTuple):
    """One call. `repeatable`: asking twice is as asking once, so a lost connection is worth a second try. `changes`: it is a write."""

    name: str
    request: type[Message]
    response: type[Message]
    patience: Patience
    repeatable: bool
    changes: bool

    @property
    def path(self) -> str:
        return f"/{SERVICE}/{self.name}"


def deadline(patience: Patience, population: int) -> float:
    """Seconds to wait, where there are `population` nodes or users, whichever are more.

    Seen with 0.29.3 on two cores: a rename takes 0.7 s with 1,000 nodes, 4.6 s with 4,000, 49 s with 10,000; with 10,000 users in 100,000
    memberships a policy takes 37 s. Reads never wait for a batch, and grow with the answer alone.
    """
    seconds = float(patience.value)
    if patience is Patience.READ:
        return seconds * (1 + population / 10_000)
    crowds = population / CROWD
    return seconds * (1 + crowds * crowds)


def _read(name: str, patience: Patience = Patience.READ) -> Method:
    return Method(name, getattr(pb, name + "Request"), getattr(pb, name + "Response"), patience, repeatable=True, changes=False)


def _write(name: str, patience: Patience = Patience.WRITE) -> Method:
    return Method(name, getattr(pb, name + "Request"), getattr(pb, name + "Response"), patience, repeatable=False, changes=True)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _write("CreateUser"),
        _write("RenameUser"),
        _write("DeleteUser"),
        _read("ListUsers"),
        _write("CreatePreAuthKey"),
        _write("ExpirePreAuthKey"),
        _write("DeletePreAuthKey"),
        _read("ListPreAuthKeys"),
        _write("DebugCreateNode"),
        _read("GetNode"),
        _write("SetTags"),
        _write("SetApprovedRoutes"),
        _write("RegisterNode"),
        _write("DeleteNode"),
        _write("ExpireNode"),
        _write("RenameNode"),
        _read("ListNodes"),
        _write("BackfillNodeIPs", Patience.POLICY),  # one batch per node that gets an address
        _write("AuthRegister"),
        _write("AuthApprove"),
        _write("AuthReject"),
        _write("CreateApiKey"),
        _write("ExpireApiKey"),
        _read("ListApiKeys"),
        _write("DeleteApiKey"),
        _read("GetPolicy"),
        _write("SetPolicy", Patience.POLICY),
        _read("CheckPolicy", Patience.POLICY),
        _read("Health"),
    )
}
