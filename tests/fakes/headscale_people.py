"""Half of the fake headscale: faults on demand, users and keys. The other half is headscale_state.py."""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from hsadmin.headscale.pb import headscale_pb2 as pb

ZERO = Timestamp(seconds=-62135596800)


class Refuse(Exception):
    """What headscale answers instead of a reply."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Asked(NamedTuple):
    call: str
    request: Any


class People:
    """Users and keys, and what every part of the fake needs. Thread-safe: calls are answered one at a time, as SQLite would."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.asked: list[Asked] = []
        self.users: dict[int, pb.User] = {}
        self.keys: dict[int, pb.PreAuthKey] = {}
        self.api_keys: dict[int, pb.ApiKey] = {}
        self.nodes: dict[int, pb.Node] = {}
        self.broken = ""  # why the running policy cannot be compiled; then writes do their work and fail
        self._ids: defaultdict[str, int] = defaultdict(int)
        self._faults: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)
        self._lock = threading.Lock()

    # — faults —

    def fail(self, call: str, code: str, text: str = "") -> None:
        """The next `call` is refused; "*" is any."""

        def refuse() -> None:
            raise Refuse(code, text)

        self._faults[call].append(refuse)

    def hold(self, call: str) -> threading.Event:
        """The next `call` does nothing until the event is set."""
        released = threading.Event()

        def wait() -> None:
            released.wait(60)

        self._faults[call].append(wait)
        return released

    def reload(self) -> None:
        """SIGHUP: the stored policy runs."""
        self.broken = ""

    def answer(self, call: str, request: Any) -> Any:
        """The reply to one call. Raises Refuse."""
        with self._lock:
            self.asked.append(Asked(call, request))
            pending = self._faults[call] or self._faults["*"]
            fault = pending.pop(0) if pending else None
        if fault:
            fault()
        with self._lock:
            return getattr(self, "_" + call)(request)

    # — users —

    def _CreateUser(self, request: pb.CreateUserRequest) -> pb.CreateUserResponse:
        if any(user.name == request.name and not user.provider_id for user in self.users.values()):
            raise Refuse("INTERNAL", "creating user: creating user: constraint failed: UNIQUE constraint failed: users.name (2067)")
        user = pb.User(
            id=self._next("user"),
            name=request.name,
            display_name=request.display_name,
            email=request.email,
            profile_pic_url=request.picture_url,
            created_at=self._stamp(),
        )
        self.users[user.id] = user
        self._compile("creating user: updating policy manager after user creation: updating policy manager users: ", "INTERNAL")
        return pb.CreateUserResponse(user=user)

    def _RenameUser(self, request: pb.RenameUserRequest) -> pb.RenameUserResponse:
        user = self._user(request.old_id)
        if any(other.name == request.new_name and other.id != user.id and not other.provider_id for other in self.users.values()):
            raise Refuse("UNKNOWN", "updating user: constraint failed: UNIQUE constraint failed: users.name (2067)")
        user.name = request.new_name or user.name
        self._compile("updating policy manager after user update: updating policy manager users: ")
        return pb.RenameUserResponse(user=self._by_name(request.new_name))

    def _DeleteUser(self, request: pb.DeleteUserRequest) -> pb.DeleteUserResponse:
        user = self._user(request.id)
        if any(not node.tags and node.user.id == user.id for node in self.nodes.values()):
            raise Refuse("UNKNOWN", "user not empty: node(s) found")
        del self.users[user.id]
        self.keys = {key.id: key for key in self.keys.values() if key.user.id != user.id}
        self._compile("updating policy after user deletion: updating policy manager users: ")
        return pb.DeleteUserResponse()

    def _ListUsers(self, request: pb.ListUsersRequest) -> pb.ListUsersResponse:
        users = list(self.users.values())
        if request.name:
            users = [user for user in users if user.name == request.name]
        elif request.email:
            users = [user for user in users if user.email == request.email]
        elif request.id:
            users = [user for user in users if user.id == request.id]
        shown = []
        for user in users:
            copy = pb.User()
            copy.CopyFrom(user)
            copy.name = user.name or user.email or user.provider_id or str(user.id)
            shown.append(copy)
        return pb.ListUsersResponse(users=shown)

    # — keys —

    def _CreatePreAuthKey(self, request: pb.CreatePreAuthKeyRequest) -> pb.CreatePreAuthKeyResponse:
        for tag in request.acl_tags:
            tag_format(tag, "INVALID_ARGUMENT")
        if not request.user and not request.acl_tags:
            raise Refuse("UNKNOWN", "auth-key must be either tagged or owned by user")
        key = pb.PreAuthKey(
            id=self._next("key"),
            key=f"hskey-auth-{_letters(12)}-***",
            reusable=request.reusable,
            ephemeral=request.ephemeral,
            expiration=request.expiration if request.HasField("expiration") else ZERO,
            created_at=self._stamp(),
            acl_tags=sorted(set(request.acl_tags)),
        )
        if request.user:
            key.user.CopyFrom(self._user(request.user))
        self.keys[key.id] = key
        told = pb.PreAuthKey()
        told.CopyFrom(key)
        told.key = key.key.replace("***", _letters(64))
        return pb.CreatePreAuthKeyResponse(pre_auth_key=told)

    def _ExpirePreAuthKey(self, request: pb.ExpirePreAuthKeyRequest) -> pb.ExpirePreAuthKeyResponse:
        if request.id in self.keys:
            self.keys[request.id].expiration.CopyFrom(self._stamp())
        return pb.ExpirePreAuthKeyResponse()

    def _DeletePreAuthKey(self, request: pb.DeletePreAuthKeyRequest) -> pb.DeletePreAuthKeyResponse:
        self.keys.pop(request.id, None)
        return pb.DeletePreAuthKeyResponse()

    def _ListPreAuthKeys(self, _: pb.ListPreAuthKeysRequest) -> pb.ListPreAuthKeysResponse:
        return pb.ListPreAuthKeysResponse(pre_auth_keys=list(self.keys.values()))

    def _CreateApiKey(self, request: pb.CreateApiKeyRequest) -> pb.CreateApiKeyResponse:
        shown = f"hskey-api-{_letters(12)}-"
        expiration = request.expiration if request.HasField("expiration") else ZERO
        key = pb.ApiKey(id=self._next("api"), prefix=shown + "***", expiration=expiration, created_at=self._stamp())
        self.api_keys[key.id] = key
        return pb.CreateApiKeyResponse(api_key=shown + _letters(64))

    def _ExpireApiKey(self, request: pb.ExpireApiKeyRequest) -> pb.ExpireApiKeyResponse:
        self._api_key(request).expiration.CopyFrom(self._stamp())
        return pb.ExpireApiKeyResponse()

    def _DeleteApiKey(self, request: pb.DeleteApiKeyRequest) -> pb.DeleteApiKeyResponse:
        del self.api_keys[self._api_key(request).id]
        return pb.DeleteApiKeyResponse()

    def _ListApiKeys(self, _: pb.ListApiKeysRequest) -> pb.ListApiKeysResponse:
        return pb.ListApiKeysResponse(api_keys=list(self.api_keys.values()))

    # — within —

    def _next(self, kind: str) -> int:
        self._ids[kind] += 1
        return self._ids[kind]

    def _stamp(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self.now())
        return stamp

    def _user(self, user_id: int) -> pb.User:
        if user_id not in self.users:
            raise Refuse("UNKNOWN", "user not found")
        return self.users[user_id]

    def _by_name(self, name: str) -> pb.User:
        found = [user for user in self.users.values() if user.name == name or not name]
        if not found:
            raise Refuse("UNKNOWN", "user not found")
        if len(found) > 1:
            raise Refuse("UNKNOWN", f"expected exactly one user, found {len(found)}")
        return found[0]

    def _api_key(self, request: pb.ExpireApiKeyRequest | pb.DeleteApiKeyRequest) -> pb.ApiKey:
        if bool(request.id) == bool(request.prefix):
            both = "provide either id or prefix, not both"
            raise Refuse("INVALID_ARGUMENT", both if request.id else "must provide id or prefix")
        for key in self.api_keys.values():
            if key.id == request.id or (request.prefix and request.prefix in key.prefix):
                return key
        raise Refuse("UNKNOWN", "record not found")

    def _compile(self, prefix: str, code: str = "UNKNOWN") -> None:
        if self.broken:
            raise Refuse(code, prefix + self.broken)


def _letters(count: int) -> str:
    return secrets.token_hex(count)[:count]


def tag_format(tag: str, code: str) -> None:
    if not tag.startswith("tag:"):
        raise Refuse(code, "tag must start with the string 'tag:'")
    if tag != tag.lower():
        raise Refuse(code, "tag should be lowercase")
    if len(tag.split()) > 1:
        raise Refuse(code, "tags must not contain spaces")
