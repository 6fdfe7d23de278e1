"""A door in memory: requests go in through treq's stand-in for a network, answers come out as they were sent; no socket is opened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import treq
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from hsadmin.console.app import build
from hsadmin.console.door import Door
from hsadmin.console.endpoint import Endpoint
from hsadmin.console.guard import Rules
from hsadmin.console.neighbours import Neighbours
from hsadmin.console.static import Files

REQUEST_ID = "0123456789abcdef"


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes
    length: object  # what Content-Length said; the client takes it out of the fields

    def field(self, name: str) -> str | None:
        values = self.headers.getRawHeaders(name)
        return ", ".join(values) if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class DoorTestCase(SynchronousTestCase):
    def door(
        self, table: Iterable[Endpoint], near: Neighbours, *, auth_disabled: bool = True, local: bool = False, files: Files | None = None
    ) -> RequestTraversalAgent:
        rules = Rules(auth_disabled=auth_disabled, local=local)
        return RequestTraversalAgent(Door(build(table, near, rules), rules, new_id=lambda: REQUEST_ID, files=files))

    def ask(
        self, door: RequestTraversalAgent, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """One whole exchange, with a host that is ours unless `headers` say otherwise."""
        sent = Headers({name: [value] for name, value in {"host": "localhost:8080", **(headers or {})}.items()})
        producer = None if body is None else Whole(body)
        asked = door.request(method.encode(), f"http://localhost:8080{path}".encode(), sent, producer)
        return self.successResultOf(Deferred.fromCoroutine(_whole(asked)))

    def is_problem(self, answer: Answer, status: int, code: str) -> None:
        """Every refusal is problem+json, says what the status says, and gives nothing of the program's insides away."""
        self.assertEqual(
            (answer.status, answer.field("content-type"), answer.json["status"], answer.json["code"], answer.json["request_id"]),
            (status, "application/problem+json", status, code, REQUEST_ID),
            answer.body,
        )
        self.assertEqual((answer.field("cache-control"), answer.length), ("no-store", len(answer.body)))
        for inside in (b"Traceback", b"File ", b".py", b"twisted"):
            self.assertNotIn(inside, answer.body)


@implementer(IBodyProducer)
class Whole:
    """A body that is sent at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


async def _whole(asked: Deferred[Any]) -> Answer:
    response = await asked
    return Answer(response.code, response.headers, await treq.content(response), response.length)
