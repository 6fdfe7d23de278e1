"""The rules of the two small doors: redirect (port 80) knows one answer, local (loopback) two paths.

They speak through the same connection code as the public door, so they are as hard to confuse. Its rules are `allow.Allow`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hsadmin.front.allow import Decision, OwnAnswer, Route, Target
from hsadmin.front.answers import NOT_FOUND, method_not_allowed, redirect
from hsadmin.front.head import RequestHead, ResponseHead
from hsadmin.front.limits import IPAddress
from hsadmin.front.relay import Relayed


class _OwnOnly:
    """Rules under which nothing goes upstream."""

    def upstream_head(self, decision: Decision, head: RequestHead, *, client: str, scheme: str, host: bytes) -> bytes:
        raise AssertionError("nothing goes upstream from this door")

    def switched(self, decision: Decision, response: ResponseHead) -> bool:
        raise AssertionError("nothing comes from an upstream to this door")

    def downstream_head(
        self, decision: Decision, head: RequestHead, response: ResponseHead, *, tls: bool, hsts: bool, close: bool = False
    ) -> Relayed:
        raise AssertionError("nothing comes from an upstream to this door")


_READ = frozenset((b"GET", b"HEAD"))


class RedirectRules(_OwnOnly):
    """Everything is at the public URL, under the same path; the address in Location is ours alone, whatever Host said."""

    _route = Route("redirect", target=Target.OWN)

    def __init__(self, public_url: str) -> None:
        self._origin = public_url.rstrip("/").encode("ascii")

    def decide(self, head: RequestHead, client: IPAddress) -> Decision:
        return Decision(self._route, redirect(self._origin + head.path + head.query, 308))


class LocalRules(_OwnOnly):
    """/healthz: the process answers. /readyz: what `ready` says, with a sentence."""

    _routes: Mapping[bytes, Route] = {b"/healthz": Route("healthz", target=Target.OWN), b"/readyz": Route("readyz", target=Target.OWN)}
    _nothing = Route("not-found", target=Target.NOTHING)
    _text = ((b"Content-Type", b"text/plain; charset=utf-8"), (b"Cache-Control", b"no-store"))

    def __init__(self, ready: Callable[[], tuple[bool, str]]) -> None:
        self._ready = ready

    def decide(self, head: RequestHead, client: IPAddress) -> Decision:
        route = self._routes.get(head.path)
        if route is None:
            return Decision(self._nothing, NOT_FOUND)
        if head.method not in _READ:
            return Decision(route, method_not_allowed(_READ))
        good, sentence = (True, "ok") if route.name == "healthz" else self._ready()
        return Decision(route, OwnAnswer(200 if good else 503, self._text, sentence.encode() + b"\n"))
