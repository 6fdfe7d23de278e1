"""Klein, built from a table of endpoints: a request comes in, is admitted, decoded strictly, handed on as values; the value that comes back goes out.

Nothing but this module knows Klein. Every failure ends in `_failed`: a Problem as itself, what the route map refuses as ours, anything else as
`internal` with the request's id, its traceback in the log only. One failure never gets here: when the browser goes away Klein cancels the
handler, and passes silently over the CancelledError that comes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from klein import Klein
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from hsadmin import __version__
from hsadmin.console.endpoint import JSON, Endpoint, Guard
from hsadmin.console.guard import Rules
from hsadmin.console.neighbours import Neighbours
from hsadmin.console.problem import MEDIA, Described, describe, internal
from hsadmin.console.reply import call_answer, request_id
from hsadmin.errors import BadRequest, MethodNotAllowed, NotFound, Problem, TooLarge, UnsupportedMediaType

log = Logger()
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)  # one spelling each, so that one thing has one path
_encode = msgspec.json.Encoder().encode


def build(table: Iterable[Endpoint], near: Neighbours, rules: Rules) -> Klein:
    """The calls of one door. Two endpoints of one name, or of one method and path, are a ValueError."""
    app = Klein()
    app.url_map.merge_slashes = False
    seen: set[object] = set()
    for endpoint in table:
        for key in (endpoint.name, (endpoint.method, endpoint.path)):
            if key in seen:
                raise ValueError(f"{key} is in the table twice")
            seen.add(key)
        route = app.route(_werkzeug(endpoint.path), methods=[endpoint.method], endpoint=endpoint.name)
        route(_handler(endpoint, near, rules))

    @app.handle_errors(Exception)
    def failed(request: IRequest, failure: Failure) -> bytes:
        return refuse(request, failure)

    return app


def refuse(request: IRequest, failure: Failure) -> bytes:
    """The answer to any failure, as problem+json."""
    described = _described(failure, request_id(request))
    if isinstance(failure.value, WrongMethod) and failure.value.valid_methods:
        request.setHeader(b"allow", ", ".join(sorted(failure.value.valid_methods)).encode())
    return call_answer(request, described.status, _encode(described), MEDIA)


def _described(failure: Failure, request: str) -> Described:
    fault = failure.value
    if isinstance(fault, Problem):
        return describe(fault, request)
    if isinstance(fault, WrongMethod):
        return describe(MethodNotAllowed("There is no such method on this path."), request)
    if isinstance(fault, HTTPException):
        return describe(NotFound("There is nothing at this path."), request)
    log.failure("Request {request} failed", failure, request=request)
    return internal(request)


def _handler(endpoint: Endpoint, near: Neighbours, rules: Rules) -> Callable[..., Any]:
    decoder = msgspec.json.Decoder(endpoint.input, strict=True) if endpoint.input else None

    async def handle(request: IRequest, **parts: str) -> bytes:
        rules.admit(endpoint.guard)
        values: dict[str, Any] = {name: _part(endpoint, name, text) for name, text in parts.items()}
        body = _body(request, endpoint)
        if decoder is not None:
            try:
                values[endpoint.argument] = decoder.decode(body)
            except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
                raise BadRequest(f"The body is not what this call takes: {wrong}.") from None
        result = await endpoint.handler(near, **values)
        if endpoint.guard is not Guard.PUBLIC:
            request.setHeader(b"hsadmin-version", __version__.encode())
        if result is None:
            return call_answer(request, HTTPStatus.NO_CONTENT, b"", endpoint.media)
        return call_answer(request, HTTPStatus.OK, _encode(result) if endpoint.media == JSON else result, endpoint.media)

    return handle


def _body(request: IRequest, endpoint: Endpoint) -> bytes:
    """The body, bounded, and refused where the call takes none or not of this kind."""
    body: bytes = request.content.read(endpoint.body_limit + 1)
    if len(body) > endpoint.body_limit:
        raise TooLarge(f"The body is longer than the {endpoint.body_limit} bytes that this call takes.")
    if endpoint.input is None:
        if body:
            raise BadRequest("This call takes no body.")
        return b""
    kind, _, parameters = (request.getHeader(b"content-type") or b"").decode("latin-1").partition(";")
    if kind.strip().lower() != JSON or parameters.strip().lower().replace('"', "") not in {"", "charset=utf-8"}:
        raise UnsupportedMediaType(f"The body must be sent as {JSON}.")
    return body


def _part(endpoint: Endpoint, name: str, text: str) -> Any:
    """A part of the path as its type; a text that cannot be one is a path that does not exist."""
    kind = endpoint.parameters[name]
    try:
        return msgspec.convert(int(text) if kind is int and _NUMBER.fullmatch(text) else text, kind)
    except msgspec.ValidationError:
        raise NotFound("There is nothing at this path.") from None


def _werkzeug(path: str) -> str:
    return path.replace("{", "<").replace("}", ">")
