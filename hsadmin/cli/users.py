"""`hsadmin user create NAME` and `hsadmin user list`."""

from __future__ import annotations

from typing import Any

from hsadmin.cli.context import Context
from hsadmin.console.api.local import NewUser
from hsadmin.model.users import User


def add(commands: Any) -> None:
    group = commands.add_parser("user", help="the people that own nodes").add_subparsers(required=True, metavar="COMMAND")
    create = group.add_parser("create", help="make a user")
    create.add_argument("name", help="letters, digits and - . _ @, beginning with a letter")
    create.add_argument("--display-name", default="", metavar="TEXT")
    create.add_argument("--email", default="", metavar="ADDRESS")
    create.set_defaults(run=create_user)
    group.add_parser("list", help="show all users").set_defaults(run=list_users)


async def create_user(context: Context) -> int:
    given = context.arguments
    user = await context.daemon().post("/users", NewUser(name=given.name, display_name=given.display_name, email=given.email), User)
    context.show(user, [f"{user.id}"])
    context.say(f"Made the user {user.name}, id {user.id}.")
    return 0


async def list_users(context: Context) -> int:
    users = await context.daemon().get("/users", list[User])
    context.show(users, [f"{user.id:>5}  {user.name}{f'  {user.email}' if user.email else ''}" for user in users])
    return 0
