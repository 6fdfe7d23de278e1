"""headscale up to 0.29, by gRPC: every call in our words.

Each method checks what headscale would not (inputs.py), asks once or a few times, and turns the answer into model values. Where headscale's
own call leaves a trap (a key that does not exist is "expired" with success, a registration by a name that fits two users, a refused policy
that runs all the same), the method takes the steps around it, so that whoever calls need not know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from google.protobuf.message import Message
from zope.interface import implementer

from hsadmin.errors import HeadscaleConflict, HeadscaleDown, HeadscaleFailed, HeadscaleInvalid, HeadscaleUnknown, PolicyDoubtful, Problem
from hsadmin.headscale import convert, inputs
from hsadmin.headscale.methods import METHODS, Method
from hsadmin.headscale.pb import headscale_pb2 as pb
from hsadmin.interfaces import IHeadscale
from hsadmin.model.keys import ApiKey, NewKey, PreAuthKey, mask
from hsadmin.model.nodes import Node
from hsadmin.model.policy import Policy
from hsadmin.model.users import User
from hsadmin.model.waiting import CheckId, RegistrationId

T = TypeVar("T")


class Ask(Protocol):
    """One call: the answer to `request`, as `read` (on another thread, so it is pure) makes of it. Raises a Problem."""

    def __call__(self, method: Method, request: Message, read: Callable[[Any], T]) -> Awaitable[T]: ...


def _nothing(_: Message) -> None:
    return None


def _node(reply: Any) -> Node:
    return convert.node(reply.node)


@implementer(IHeadscale)
class Rpc:
    """`now` is wall-clock seconds. `population` is how many nodes or users the last lists held, whichever are more."""

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        self._ask = ask
        self._now = now
        self._users = 0
        self._nodes = 0

    @property
    def population(self) -> int:
        return max(self._users, self._nodes)

    # — users —

    async def list_users(self) -> Sequence[User]:
        users = await self._find_users()
        self._users = len(users)
        return users

    async def create_user(self, name: str, *, display_name: str = "", email: str = "", picture_url: str = "") -> User:
        request = pb.CreateUserRequest(name=inputs.user_name(name), display_name=display_name, email=email, picture_url=picture_url)
        return await self._ask(METHODS["CreateUser"], request, lambda reply: convert.user(reply.user))

    async def rename_user(self, user_id: int, name: str) -> User:
        request = pb.RenameUserRequest(old_id=user_id, new_name=inputs.user_name(name))
        try:
            return await self._ask(METHODS["RenameUser"], request, lambda reply: convert.user(reply.user))
        except HeadscaleConflict:
            # headscale looks its answer up by the new name; where an OIDC user has the same, it fails with the rename done.
            user = await self._user(user_id)
            if user.name != name:
                raise
            return user

    async def delete_user(self, user_id: int) -> None:
        await self._ask(METHODS["DeleteUser"], pb.DeleteUserRequest(id=user_id), _nothing)

    # — pre-auth keys —

    async def list_preauth_keys(self) -> Sequence[PreAuthKey]:
        return await self._ask(
            METHODS["ListPreAuthKeys"], pb.ListPreAuthKeysRequest(), lambda reply: convert.preauth_keys(reply.pre_auth_keys)
        )

    async def create_preauth_key(
        self, *, expires: datetime, owner_id: int | None = None, tags: Sequence[str] = (), reusable: bool = False, ephemeral: bool = False
    ) -> NewKey:
        if not owner_id and not tags:
            raise HeadscaleInvalid("a key belongs to a user, or has tags.", field="owner_id")
        request = pb.CreatePreAuthKeyRequest(
            user=owner_id or 0,
            reusable=reusable,
            ephemeral=ephemeral,
            expiration=convert.timestamp(inputs.future(expires, self._now())),
            acl_tags=inputs.tags(tags),
        )
        return await self._ask(
            METHODS["CreatePreAuthKey"], request, lambda reply: NewKey(id=reply.pre_auth_key.id, secret=reply.pre_auth_key.key)
        )

    async def expire_preauth_key(self, key_id: int) -> None:
        await self._preauth_key(key_id)
        await self._ask(METHODS["ExpirePreAuthKey"], pb.ExpirePreAuthKeyRequest(id=key_id), _nothing)

    async def delete_preauth_key(self, key_id: int) -> None:
        await self._preauth_key(key_id)
        await self._ask(METHODS["DeletePreAuthKey"], pb.DeletePreAuthKeyRequest(id=key_id), _nothing)

    # — keys of the HTTP API —

    async def list_api_keys(self) -> Sequence[ApiKey]:
        return await self._ask(METHODS["ListApiKeys"], pb.ListApiKeysRequest(), lambda reply: convert.api_keys(reply.api_keys))

    async def create_api_key(self, *, expires: datetime) -> NewKey:
        request = pb.CreateApiKeyRequest(expiration=convert.timestamp(inputs.future(expires, self._now())))
        secret = await self._ask(METHODS["CreateApiKey"], request, lambda reply: str(reply.api_key))
        try:
            known = [key.id for key in await self.list_api_keys() if key.masked == mask(secret)]
        except Problem:
            known = []  # the key exists and cannot be shown again: better without its number than not at all
        return NewKey(id=known[0] if len(known) == 1 else None, secret=secret)

    async def expire_api_key(self, key_id: int) -> None:
        await self._ask(METHODS["ExpireApiKey"], pb.ExpireApiKeyRequest(id=_positive(key_id)), _nothing)

    async def delete_api_key(self, key_id: int) -> None:
        await self._ask(METHODS["DeleteApiKey"], pb.DeleteApiKeyRequest(id=_positive(key_id)), _nothing)

    # — nodes —

    async def list_nodes(self) -> Sequence[Node]:
        nodes = await self._ask(METHODS["ListNodes"], pb.ListNodesRequest(), lambda reply: convert.nodes(reply.nodes))
        self._nodes = len(nodes)
        return nodes

    async def get_node(self, node_id: int) -> Node:
        return await self._ask(METHODS["GetNode"], pb.GetNodeRequest(node_id=node_id), _node)

    async def rename_node(self, node_id: int, name: str) -> Node:
        return await self._ask(METHODS["RenameNode"], pb.RenameNodeRequest(node_id=node_id, new_name=inputs.node_name(name)), _node)

    async def set_tags(self, node_id: int, tags: Sequence[str]) -> Node:
        if not tags:
            raise HeadscaleInvalid("a tagged node keeps one tag at least.", field="tags")
        return await self._ask(METHODS["SetTags"], pb.SetTagsRequest(node_id=node_id, tags=inputs.tags(tags)), _node)

    async def set_approved_routes(self, node_id: int, routes: Sequence[str]) -> Node:
        request = pb.SetApprovedRoutesRequest(node_id=node_id, routes=inputs.routes(routes))
        return await self._ask(METHODS["SetApprovedRoutes"], request, _node)

    async def expire_node(self, node_id: int, at: datetime | None = None) -> Node:
        request = pb.ExpireNodeRequest(node_id=node_id)
        if at is not None:
            request.expiry.CopyFrom(convert.timestamp(inputs.future(at, self._now())))
        return await self._ask(METHODS["ExpireNode"], request, _node)

    async def never_expire_node(self, node_id: int) -> Node:
        return await self._ask(METHODS["ExpireNode"], pb.ExpireNodeRequest(node_id=node_id, disable_expiry=True), _node)

    async def delete_node(self, node_id: int) -> None:
        await self._ask(METHODS["DeleteNode"], pb.DeleteNodeRequest(node_id=node_id), _nothing)

    async def backfill_addresses(self) -> Sequence[str]:
        return await self._ask(METHODS["BackfillNodeIPs"], pb.BackfillNodeIPsRequest(confirmed=True), lambda reply: tuple(reply.changes))

    # — what waits for a person —

    async def register_node(self, waiting: RegistrationId, owner_id: int) -> Node:
        request = pb.AuthRegisterRequest(user=await self._unique_name(owner_id), auth_id=waiting.text)
        return await self._ask(METHODS["AuthRegister"], request, _node)

    async def register_node_by_key(self, waiting: RegistrationId, owner_id: int) -> Node:
        """`register_node` under the name it had up to 0.28. Not part of IHeadscale."""
        request = pb.RegisterNodeRequest(user=await self._unique_name(owner_id), key=waiting.text)
        return await self._ask(METHODS["RegisterNode"], request, _node)

    async def approve_check(self, waiting: CheckId) -> None:
        await self._ask(METHODS["AuthApprove"], pb.AuthApproveRequest(auth_id=waiting.text), _nothing)

    async def reject_check(self, waiting: CheckId) -> None:
        await self._ask(METHODS["AuthReject"], pb.AuthRejectRequest(auth_id=waiting.text), _nothing)

    async def seed_node(self, waiting: RegistrationId, owner_id: int, host_name: str, routes: Sequence[str] = ()) -> None:
        request = pb.DebugCreateNodeRequest(
            user=await self._unique_name(owner_id), key=waiting.text, name=host_name, routes=inputs.routes(routes)
        )
        await self._ask(METHODS["DebugCreateNode"], request, _nothing)

    # — policy —

    async def get_policy(self) -> Policy | None:
        try:
            return await self._ask(METHODS["GetPolicy"], pb.GetPolicyRequest(), convert.policy)
        except HeadscaleUnknown:
            return None

    async def check_policy(self, text: str) -> None:
        await self._ask(METHODS["CheckPolicy"], pb.CheckPolicyRequest(policy=inputs.policy(text)), _nothing)

    async def set_policy(self, text: str, *, expected: str | None = None) -> Policy:
        await self.check_policy(text)
        if expected is not None:
            stored = await self.get_policy()
            if (stored.text if stored else "") != expected:
                raise HeadscaleConflict("the policy was changed by somebody else meanwhile.")
        try:
            await self._ask(METHODS["SetPolicy"], pb.SetPolicyRequest(policy=text), _nothing)
        except HeadscaleDown:
            raise
        except Problem as refused:
            # CheckPolicy took it, so this is the case in which the refused rules run although the old text is stored.
            raise PolicyDoubtful(
                f"{refused.sentence} The refused rules may run until headscale reloads the stored policy.", **refused.facts
            ) from None
        stored = await self.get_policy()
        if stored is None or stored.text != text:
            raise PolicyDoubtful("headscale took the policy, and holds another text now; let it reload, and look again.")
        return stored

    # — itself —

    async def healthy(self) -> bool:
        try:
            return await self._ask(METHODS["Health"], pb.HealthRequest(), lambda reply: bool(reply.database_connectivity))
        except HeadscaleFailed:
            return False

    async def _find_users(self, **by: Any) -> Sequence[User]:
        return await self._ask(METHODS["ListUsers"], pb.ListUsersRequest(**by), lambda reply: convert.users(reply.users))

    async def _user(self, user_id: int) -> User:
        found = await self._find_users(id=user_id) if user_id else ()
        if len(found) != 1:
            raise HeadscaleUnknown("headscale has no such user.", user=user_id)
        return found[0]

    async def _unique_name(self, user_id: int) -> str:
        """The name by which headscale finds this user and nobody else.

        The name that is shown is not always the one that is stored (an OIDC user without a name is shown by e-mail), so headscale itself
        is asked whom it finds.
        """
        name = (await self._user(user_id)).name
        if not name or [user.id for user in await self._find_users(name=name)] != [user_id]:
            raise HeadscaleConflict(
                f"headscale cannot tell the user {name!r} from others by name, and knows no other way here.", user=user_id
            )
        return name

    async def _preauth_key(self, key_id: int) -> None:
        if all(key.id != key_id for key in await self.list_preauth_keys()):
            raise HeadscaleUnknown("headscale has no such key.", key=key_id)


def _positive(key_id: int) -> int:
    if key_id < 1:
        raise HeadscaleUnknown("headscale has no such key.", key=key_id)
    return key_id
