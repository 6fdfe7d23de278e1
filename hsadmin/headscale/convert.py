"""Messages to model values. Pure; may run on any thread.

Times are the subtle part. Go's zero time is year 1, and headscale sends it where it means "nothing": in a node's expiry and last_seen that
is "never". A key's expiration of year 1 on the other hand is one that headscale itself compares with now: such a key is born expired, and
only an *absent* expiration means "never". So a key carries `born_expired` beside `expires`.

Everything that headscale lists in random order is sorted here, so that equal states give equal values.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from hsadmin.headscale.pb import headscale_pb2 as pb
from hsadmin.model.keys import ApiKey, PreAuthKey, mask
from hsadmin.model.nodes import Node, Registered, Routes
from hsadmin.model.policy import Policy
from hsadmin.model.users import TAGGED_DEVICES, User

YEAR_ONE = -62135596800
_END_OF_TIME = 253402300800  # 10000-01-01: what Go can say and Python cannot
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REGISTERED = {
    pb.REGISTER_METHOD_UNSPECIFIED: Registered.UNKNOWN,
    pb.REGISTER_METHOD_AUTH_KEY: Registered.KEY,
    pb.REGISTER_METHOD_CLI: Registered.CLI,
    pb.REGISTER_METHOD_OIDC: Registered.OIDC,
}


def moment(stamp: Timestamp) -> datetime | None:
    """An aware UTC time with microseconds, None for year 1. Beyond Python's years, its last or first moment."""
    if stamp.seconds == YEAR_ONE:
        return None
    if stamp.seconds >= _END_OF_TIME:
        return datetime.max.replace(tzinfo=UTC)
    if stamp.seconds < YEAR_ONE:
        return datetime.min.replace(tzinfo=UTC)
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def user(message: pb.User) -> User:
    return User(
        id=message.id,
        name=message.name,
        display_name=message.display_name,
        email=message.email,
        provider=message.provider,
        provider_id=message.provider_id,
        picture_url=message.profile_pic_url,
        created_at=moment(message.created_at) if message.HasField("created_at") else None,
    )


def users(messages: Iterable[pb.User]) -> tuple[User, ...]:
    return tuple(user(message) for message in messages)


def preauth_key(message: pb.PreAuthKey) -> PreAuthKey:
    expires, born_expired = _expiration(message)
    return PreAuthKey(
        id=message.id,
        masked=mask(message.key),
        owner_id=_owner(message.user) if message.HasField("user") else None,
        tags=tuple(sorted(message.acl_tags)),
        reusable=message.reusable,
        ephemeral=message.ephemeral,
        used=message.used,
        expires=expires,
        born_expired=born_expired,
        created_at=moment(message.created_at) if message.HasField("created_at") else None,
    )


def preauth_keys(messages: Iterable[pb.PreAuthKey]) -> tuple[PreAuthKey, ...]:
    return tuple(preauth_key(message) for message in messages)


def api_key(message: pb.ApiKey) -> ApiKey:
    expires, born_expired = _expiration(message)
    return ApiKey(
        id=message.id,
        masked=mask(message.prefix),
        expires=expires,
        born_expired=born_expired,
        created_at=moment(message.created_at) if message.HasField("created_at") else None,
        last_seen=moment(message.last_seen) if message.HasField("last_seen") else None,
    )


def api_keys(messages: Iterable[pb.ApiKey]) -> tuple[ApiKey, ...]:
    return tuple(api_key(message) for message in messages)


def node(message: pb.Node, *, listed: bool = False) -> Node:
    """`listed`: the message comes from ListNodes, the only call that fills in what a node serves."""
    tags = tuple(sorted(message.tags))
    joined_by_key = message.HasField("pre_auth_key")
    return Node(
        id=message.id,
        name=message.given_name,
        host_name=message.name,
        owner_id=None if tags or not message.HasField("user") else _owner(message.user),
        tags=tags,
        addresses=tuple(message.ip_addresses),
        online=message.online,
        last_seen=moment(message.last_seen) if message.HasField("last_seen") else None,
        expires=moment(message.expiry) if message.HasField("expiry") else None,
        created_at=moment(message.created_at) if message.HasField("created_at") else None,
        registered=_REGISTERED.get(message.register_method, Registered.UNKNOWN),
        joined_with=message.pre_auth_key.id if joined_by_key else None,
        ephemeral=joined_by_key and message.pre_auth_key.ephemeral,
        routes=Routes(
            announced=tuple(sorted(message.available_routes)),
            approved=tuple(sorted(message.approved_routes)),
            serving=tuple(sorted(message.subnet_routes)) if listed else None,
        ),
        machine_key=message.machine_key,
        node_key=message.node_key,
        disco_key=message.disco_key,
    )


def nodes(messages: Iterable[pb.Node]) -> tuple[Node, ...]:
    return tuple(node(message, listed=True) for message in messages)


def policy(message: pb.GetPolicyResponse | pb.SetPolicyResponse) -> Policy:
    return Policy(text=message.policy, updated_at=moment(message.updated_at) if message.HasField("updated_at") else None)


def timestamp(at: datetime) -> Timestamp:
    """An aware time as it goes to headscale, exact to the microsecond."""
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _owner(message: pb.User) -> int | None:
    return None if message.id == TAGGED_DEVICES else message.id


def _expiration(message: pb.PreAuthKey | pb.ApiKey) -> tuple[datetime | None, bool]:
    if not message.HasField("expiration"):
        return None, False
    if message.expiration.seconds == YEAR_ONE:
        return None, True
    return moment(message.expiration), False
