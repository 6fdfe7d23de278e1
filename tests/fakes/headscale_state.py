"""A headscale that is only state in memory: every call by name, the real one's codes and texts, faults on demand.

The texts were heard from headscale 0.29.3 and are held to it by tests/headscale/contract.py, which runs against both.
headscale_grpc.py puts it behind a Unix socket.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hsadmin.headscale.pb import headscale_pb2 as pb
from hsadmin.model.nodes import EXIT_ROUTES
from hsadmin.model.users import TAGGED_DEVICES
from tests.fakes.headscale_people import People, Refuse, tag_format

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class FakeHeadscale(People):
    """One headscale. Tests may look at, and put into, every mapping; `asked` is what it was asked so far."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(now)
        self.database = True  # does Health reach it
        self.pending: dict[str, pb.Node] = {}  # devices that wait to be registered
        self.checks: dict[str, bool | None] = {}  # SSH sessions that wait; True approved, False rejected
        self.policies: list[tuple[str, Timestamp]] = []

    # — nodes —

    def _DebugCreateNode(self, request: pb.DebugCreateNodeRequest) -> pb.DebugCreateNodeResponse:
        user = self._by_name(request.user)
        _prefixes(request.routes)
        _auth_id(request.key)
        node = pb.Node(
            name=request.name, user=user, machine_key="mkey:" + secrets.token_hex(32), node_key="nodekey:" + secrets.token_hex(32)
        )
        node.disco_key = "discokey:" + "0" * 64
        self.pending[request.key] = node
        echoed = pb.Node()
        echoed.CopyFrom(node)
        echoed.available_routes.extend(request.routes)
        return pb.DebugCreateNodeResponse(node=echoed)

    def _AuthRegister(self, request: pb.AuthRegisterRequest) -> pb.AuthRegisterResponse:
        return pb.AuthRegisterResponse(node=self._register(request.user, request.auth_id))

    def _RegisterNode(self, request: pb.RegisterNodeRequest) -> pb.RegisterNodeResponse:
        return pb.RegisterNodeResponse(node=self._register(request.user, request.key))

    def _GetNode(self, request: pb.GetNodeRequest) -> pb.GetNodeResponse:
        return pb.GetNodeResponse(node=_told(self._node(request.node_id, "NOT_FOUND", "node not found")))

    def _ListNodes(self, request: pb.ListNodesRequest) -> pb.ListNodesResponse:
        nodes = list(self.nodes.values())
        if request.user:
            owner = self._by_name(request.user)
            nodes = [node for node in nodes if node.user.id == owner.id and not node.tags]
        listed = []
        for node in nodes:
            copy = _told(node)
            copy.subnet_routes.extend(sorted(node.subnet_routes, reverse=True))
            if node.tags:
                copy.user.CopyFrom(pb.User(id=TAGGED_DEVICES, name="tagged-devices", display_name="Tagged Devices"))
            listed.append(copy)
        return pb.ListNodesResponse(nodes=listed)

    def _SetTags(self, request: pb.SetTagsRequest) -> pb.SetTagsResponse:
        if not request.tags:
            raise Refuse("INVALID_ARGUMENT", "cannot remove all tags from a node - tagged nodes must have at least one tag")
        for tag in request.tags:
            tag_format(tag, "UNKNOWN")
        node = self._node(request.node_id, "NOT_FOUND", "node not found")
        owners = json.loads(self.policies[-1][0]).get("tagOwners", {}) if self.policies else {}
        if missing := [tag for tag in request.tags if tag not in owners]:
            raise Refuse("INVALID_ARGUMENT", f"requested tags [{' '.join(missing)}] are invalid or not permitted")
        node.tags[:] = sorted(set(request.tags))
        node.ClearField("user")
        return pb.SetTagsResponse(node=_told(node))

    def _SetApprovedRoutes(self, request: pb.SetApprovedRoutesRequest) -> pb.SetApprovedRoutesResponse:
        routes = set(_prefixes(request.routes, "parsing route: "))
        node = self._node(request.node_id, "INVALID_ARGUMENT", f"node no longer exists in NodeStore: {request.node_id}")
        if routes & set(EXIT_ROUTES):
            routes |= set(EXIT_ROUTES)
        node.approved_routes[:] = sorted(routes)
        return pb.SetApprovedRoutesResponse(node=_told(node))

    def _RenameNode(self, request: pb.RenameNodeRequest) -> pb.RenameNodeResponse:
        name = request.new_name
        if not _LABEL.fullmatch(name):
            raise Refuse("UNKNOWN", f'renaming node: "{name}" is not a valid DNS label: "{name}" is not a valid DNS label')
        node = self._node(request.node_id, "UNKNOWN", f"node no longer exists in NodeStore: {request.node_id}")
        if any(other.given_name == name and other.id != node.id for other in self.nodes.values()):
            raise Refuse("UNKNOWN", f"node name is not unique: {name}")
        node.given_name = name
        return pb.RenameNodeResponse(node=_told(node))

    def _ExpireNode(self, request: pb.ExpireNodeRequest) -> pb.ExpireNodeResponse:
        if request.disable_expiry and request.HasField("expiry"):
            raise Refuse("INVALID_ARGUMENT", "cannot set both disable_expiry and expiry")
        node = self._node(request.node_id, "UNKNOWN", f"node no longer exists in NodeStore: {request.node_id}")
        if request.disable_expiry:
            node.ClearField("expiry")
        else:
            node.expiry.CopyFrom(request.expiry if request.HasField("expiry") else self._stamp())
        return pb.ExpireNodeResponse(node=_told(node))

    def _DeleteNode(self, request: pb.DeleteNodeRequest) -> pb.DeleteNodeResponse:
        node = self._node(request.node_id, "NOT_FOUND", "node not found")
        del self.nodes[node.id]
        self._compile("updating policy manager after node deletion: updating policy manager nodes: ")
        return pb.DeleteNodeResponse()

    def _BackfillNodeIPs(self, request: pb.BackfillNodeIPsRequest) -> pb.BackfillNodeIPsResponse:
        if not request.confirmed:
            raise Refuse("UNKNOWN", "not confirmed, aborting")
        return pb.BackfillNodeIPsResponse()

    # — what waits for a person —

    def _AuthApprove(self, request: pb.AuthApproveRequest) -> pb.AuthApproveResponse:
        self._verdict(request.auth_id, True)
        return pb.AuthApproveResponse()

    def _AuthReject(self, request: pb.AuthRejectRequest) -> pb.AuthRejectResponse:
        self._verdict(request.auth_id, False)
        return pb.AuthRejectResponse()

    # — policy and health —

    def _GetPolicy(self, _: pb.GetPolicyRequest) -> pb.GetPolicyResponse:
        if not self.policies:
            raise Refuse("UNKNOWN", "loading ACL from database: acl policy not found")
        text, at = self.policies[-1]
        return pb.GetPolicyResponse(policy=text, updated_at=at)

    def _CheckPolicy(self, request: pb.CheckPolicyRequest) -> pb.CheckPolicyResponse:
        if fault := self._policy_fault(request.policy) or self._attr_fault(request.policy):
            raise Refuse("INVALID_ARGUMENT", fault)
        return pb.CheckPolicyResponse()

    def _SetPolicy(self, request: pb.SetPolicyRequest) -> pb.SetPolicyResponse:
        if fault := self._policy_fault(request.policy):
            raise Refuse("UNKNOWN", f"setting policy: {fault}")
        if fault := self._attr_fault(request.policy):
            self.broken = fault  # its rules run, although the old text stays stored
            raise Refuse("UNKNOWN", f"setting policy: {fault}")
        self.policies.append((request.policy, self._stamp()))
        return pb.SetPolicyResponse(policy=request.policy, updated_at=self.policies[-1][1])

    def _Health(self, _: pb.HealthRequest) -> pb.HealthResponse:
        if not self.database:
            raise Refuse("UNKNOWN", "pinging database: context deadline exceeded")
        return pb.HealthResponse(database_connectivity=True)

    # — within —

    def _node(self, node_id: int, code: str, text: str) -> pb.Node:
        if node_id not in self.nodes:
            raise Refuse(code, text)
        return self.nodes[node_id]

    def _register(self, name: str, auth_id: str) -> pb.Node:
        _auth_id(auth_id)
        try:
            owner = self._by_name(name)
        except Refuse as refused:
            raise Refuse(refused.code, f"looking up user: {refused.text}") from None
        if auth_id not in self.pending:
            raise Refuse("UNKNOWN", "node not found in registration cache")
        node = self.pending.pop(auth_id)
        node.id = self._next("node")
        node.user.CopyFrom(owner)
        node.created_at.CopyFrom(self._stamp())
        node.last_seen.CopyFrom(self._stamp())
        node.register_method = pb.REGISTER_METHOD_CLI
        node.ip_addresses.extend((f"100.64.0.{node.id}", f"fd7a:115c:a1e0::{node.id:x}"))
        taken = {other.given_name for other in self.nodes.values()}
        plain = re.sub(r"[^a-z0-9-]", "", node.name.lower()) or "node"
        node.given_name = next(name for name in (plain, *(f"{plain}-{i}" for i in range(1, 10_000))) if name not in taken)
        self.nodes[node.id] = node
        self._compile("updating policy manager users: updating policy manager users: ")
        return _told(node)

    def _verdict(self, auth_id: str, approved: bool) -> None:
        try:
            _auth_id(auth_id)
        except Refuse as refused:
            raise Refuse("INVALID_ARGUMENT", f"invalid auth_id: {refused.text}") from None
        if auth_id not in self.checks:
            raise Refuse("NOT_FOUND", f"no pending auth session for auth_id {auth_id}")
        self.checks[auth_id] = approved

    def _policy_fault(self, text: str) -> str:
        try:
            policy = json.loads(text)
        except ValueError:
            return "parsing policy: parsing HuJSON: hujson: line 1, column 2: parsing value: unexpected EOF"
        for rule in policy.get("acls", ()):
            for source in rule.get("src", ()):
                if source.startswith("group:") and source not in policy.get("groups", {}):
                    return f'parsing policy: group not defined in policy: "{source}"'
        return ""

    def _attr_fault(self, text: str) -> str:
        for entry in json.loads(text).get("nodeAttrs", ()):
            for target in entry.get("target", ()):
                if target.endswith("@") and all(user.name != target[:-1] for user in self.users.values()):
                    return f'compiling nodeAttrs: nodeAttrs target [{target}]: user not found: token "{target}"'
        return ""


def _told(node: pb.Node) -> pb.Node:
    """`node` as every answer but the list has it: no word on what it serves."""
    copy = pb.Node()
    copy.CopyFrom(node)
    copy.ClearField("subnet_routes")
    return copy


def _auth_id(text: str) -> None:
    if not text.startswith("hskey-authreq-"):
        raise Refuse("UNKNOWN", 'auth ID has invalid prefix: expected prefix "hskey-authreq-"')
    if len(text) != 38:
        raise Refuse("UNKNOWN", f"auth ID has invalid length: expected 38, got {len(text)}")


def _prefixes(routes: Sequence[str], before: str = "") -> Sequence[str]:
    for route in routes:
        try:
            ipaddress.ip_interface(route)
        except ValueError:
            route_fault = "bad"
        else:
            route_fault = "" if "/" in route else "bad"
        if route_fault:
            raise Refuse("UNKNOWN", f"{before}netip.ParsePrefix(\"{route}\"): no '/'")
    return routes
