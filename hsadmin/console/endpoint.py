"""A call, stated once: routes, decoding, guarding, the OpenAPI document and (by `name`) audit entries all come from this value.

A handler is an async function of values: the neighbours, then one argument for each `{part}` of the path, then at most one msgspec struct
that is the JSON body. What it returns is the answer. It never sees a request:

    @endpoint("POST", "/local/users", name="users.create", guard=Guard.LOCAL, summary="Make a user")
    async def create(near: Neighbours, new: NewUser) -> User: ...

Types are read from the signature, so a handler cannot say one thing to mypy and another to a caller.

Klein cancels a handler when its browser goes away. A handler that waits for something which must not stop half-way asks a job for it and
watches the job; it never does the work itself.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, get_type_hints

import msgspec

from hsadmin.console.neighbours import Neighbours

JSON = "application/json"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_PART = re.compile(r"\{([a-z_]+)\}")


class Guard(StrEnum):
    """Who may make a call."""

    PUBLIC = "public"  # anybody who reaches the public port
    OPEN = "open"  # whoever uses the console; until there is sign-in, that is under auth.disabled
    LOCAL = "local"  # only on admin.sock


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`media` is JSON unless the handler returns bytes of another kind; `body_limit` is in bytes."""

    method: str
    path: str
    name: str
    guard: Guard
    summary: str
    parameters: Mapping[str, Any]
    argument: str  # the handler's name for the body, "" when it takes none
    input: type[msgspec.Struct] | None
    output: Any
    media: str
    body_limit: int
    handler: Callable[..., Awaitable[Any]]


def endpoint(
    method: str, path: str, *, name: str, guard: Guard, summary: str, media: str = JSON, body_limit: int = 64 * 1024
) -> Callable[[Callable[..., Awaitable[Any]]], Endpoint]:
    """Makes an Endpoint of a handler. A handler whose signature does not fit is a TypeError at import, not at the first call."""

    def made(handler: Callable[..., Awaitable[Any]]) -> Endpoint:
        if method not in METHODS:
            raise TypeError(f"{name}: {method} is not a method we serve")
        hints = get_type_hints(handler)
        output = hints.pop("return")
        first, *others = inspect.signature(handler).parameters
        if hints[first] is not Neighbours:
            raise TypeError(f"{name}: the first argument is the neighbours")
        parts = _PART.findall(path)
        parameters = {part: hints[part] for part in parts}
        given = [other for other in others if other not in parameters]
        if len(given) > (1 if method in WITH_BODY else 0):
            raise TypeError(f"{name}: {method} has no room for {', '.join(given)}")
        if media == JSON and output is bytes:
            raise TypeError(f"{name}: bytes need a media type")
        return Endpoint(
            method=method,
            path=path,
            name=name,
            guard=guard,
            summary=summary,
            parameters=parameters,
            argument=given[0] if given else "",
            input=_strict(name, hints[given[0]]) if given else None,
            output=output,
            media=media,
            body_limit=body_limit,
            handler=handler,
        )

    return made


def _strict(name: str, given: Any) -> type[msgspec.Struct]:
    if not (isinstance(given, type) and issubclass(given, msgspec.Struct)):
        raise TypeError(f"{name}: a body is a msgspec.Struct")
    config = given.__struct_config__
    if not (config.frozen and config.forbid_unknown_fields):
        raise TypeError(f"{name}: {given.__name__} must be frozen and forbid unknown fields")
    return given
