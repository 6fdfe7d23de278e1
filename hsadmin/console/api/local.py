"""What the command line on this machine may ask, over admin.sock: whoever reaches that is the administrator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from hsadmin.console.api.status import Status, gather
from hsadmin.console.endpoint import Endpoint, Guard, endpoint
from hsadmin.console.neighbours import Neighbours
from hsadmin.errors import BadRequest, NotFound
from hsadmin.model.keys import NewKey
from hsadmin.model.users import User

DAY = 24 * 3600
LONGEST = 10 * 365 * DAY


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    display_name: str = ""
    email: str = ""


class KeyWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user` is a name, an e-mail address or an id; "" when only tags own the devices. `expires_in` is in seconds."""

    user: str = ""
    tags: tuple[str, ...] = ()
    reusable: bool = False
    ephemeral: bool = False
    expires_in: Annotated[int, msgspec.Meta(ge=1, le=LONGEST)] = DAY


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A key, at the one moment it is shown, and what is needed to join with it."""

    key: NewKey
    owner: User | None
    expires: datetime
    login_server: str


@endpoint("GET", "/status", name="local.status", guard=Guard.LOCAL, summary="What the server knows of itself")
async def status(near: Neighbours) -> Status:
    return gather(near)


@endpoint("GET", "/users", name="local.users.list", guard=Guard.LOCAL, summary="All users")
async def list_users(near: Neighbours) -> Sequence[User]:
    return await near.headscale.list_users()


@endpoint("POST", "/users", name="local.users.create", guard=Guard.LOCAL, summary="Make a user")
async def create_user(near: Neighbours, new: NewUser) -> User:
    return await near.headscale.create_user(new.name, display_name=new.display_name, email=new.email)


@endpoint("POST", "/preauth-keys", name="local.preauth-keys.create", guard=Guard.LOCAL, summary="Make a pre-auth key")
async def create_key(near: Neighbours, wish: KeyWish) -> Issued:
    if not wish.user and not wish.tags:
        raise BadRequest("A pre-auth key needs a user, or tags, to own the devices that join with it.")
    owner = named(wish.user, await near.headscale.list_users()) if wish.user else None
    expires = datetime.fromtimestamp(near.now(), UTC) + timedelta(seconds=wish.expires_in)
    key = await near.headscale.create_preauth_key(
        expires=expires, owner_id=owner.id if owner else None, tags=wish.tags, reusable=wish.reusable, ephemeral=wish.ephemeral
    )
    return Issued(key=key, owner=owner, expires=expires, login_server=near.public_url)


def named(text: str, users: Sequence[User]) -> User:
    """The one user meant by a name, else by an e-mail address, else by an id. Raises NotFound, or BadRequest when several are meant.

    A name begins with a letter, so an id cannot be taken for one.
    """
    for key in ("name", "email", "id"):
        found = [user for user in users if str(getattr(user, key)) == text]
        if len(found) > 1:
            raise BadRequest(f"{text} is the {key} of {len(found)} users; give one of the ids {', '.join(str(user.id) for user in found)}.")
        if found:
            return found[0]
    raise NotFound(f"There is no user {text}.")


CALLS: tuple[Endpoint, ...] = (status, list_users, create_user, create_key)
