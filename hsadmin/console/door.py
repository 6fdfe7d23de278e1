"""What every request to a socket of ours passes before anything looks at its meaning: an id, its syntax, the guard. Then calls, or files.

Not even a fault of our own, or of a library's, ends in anything but problem+json with the request's id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from klein import Klein
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import Resource

from hsadmin.console.app import refuse
from hsadmin.console.guard import Rules, Visit
from hsadmin.console.reply import begin
from hsadmin.console.static import Files
from hsadmin.errors import BadRequest, MethodNotAllowed

API = b"/admin/api/"
CLIENT = b"x-forwarded-for"  # the one forwarding field that the front sets, after dropping the visitor's own
METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE"})


class Door(Resource):
    """The root resource of a socket. Without `files` every path is a call's."""

    isLeaf = True

    def __init__(self, calls: Klein, rules: Rules, *, new_id: Callable[[], str], files: Files | None = None) -> None:
        Resource.__init__(self)
        self._calls: Any = calls.resource()
        self._rules = rules
        self._new_id = new_id
        self._files = files

    def render(self, request: IRequest) -> Any:
        begin(request, self._new_id())
        try:
            self._rules.check(_visit(request))
            if self._files is not None and not request.path.startswith(API):
                return self._files.render(request, self._rules)
            return self._calls.render(request)
        except Exception:  # noqa: BLE001 - this is the one place where whatever went wrong becomes an answer
            return refuse(request, Failure())


def _visit(request: IRequest) -> Visit:
    """What the guard judges. Raises BadRequest for what is not even HTTP's syntax, or is there twice."""
    if request.method not in METHODS:
        raise MethodNotAllowed("There is no such method on this path.")
    try:
        b"/".join(request.postpath).decode()
    except UnicodeDecodeError:
        raise BadRequest("The path is not UTF-8.") from None
    return Visit(
        method=request.method.decode(),
        host=_single(request, b"host"),
        origin=_single(request, b"origin"),
        fetch_site=_single(request, b"sec-fetch-site"),
        client=_single(request, CLIENT),
    )


def _single(request: IRequest, name: bytes) -> str:
    values: list[bytes] = request.requestHeaders.getRawHeaders(name) or []
    if len(values) > 1:
        raise BadRequest(f"The field {name.decode()} is there more than once.")
    return values[0].decode("latin-1").strip() if values else ""
