"""What a call goes through: routes, decoding, answers, and every way it can fail."""

from __future__ import annotations

from typing import cast

import msgspec
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import ILogObserver, LogEvent, Logger

from hsadmin import __version__
from hsadmin.console import app
from hsadmin.console.app import build
from hsadmin.console.endpoint import Endpoint, Guard, endpoint
from hsadmin.console.guard import Rules
from hsadmin.console.neighbours import Neighbours
from hsadmin.errors import HeadscaleDown
from tests.console.support import REQUEST_ID, DoorTestCase
from tests.fakes.rooms import neighbours

SAME_ORIGIN = {"origin": "http://localhost:8080", "content-type": "application/json"}


class Thing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    size: int = 0


class Made(msgspec.Struct, frozen=True):
    id: int
    thing: Thing


@endpoint("GET", "/admin/api/things/{id}", name="things.read", guard=Guard.OPEN, summary="One thing")
async def read(near: Neighbours, id: int) -> Made:
    return Made(id, Thing("a"))


@endpoint("PUT", "/admin/api/things/{id}", name="things.replace", guard=Guard.OPEN, summary="Replace", body_limit=100)
async def replace(near: Neighbours, thing: Thing, id: int) -> Made:
    return Made(id, thing)


@endpoint("DELETE", "/admin/api/things/{id}", name="things.delete", guard=Guard.OPEN, summary="Delete")
async def delete(near: Neighbours, id: int) -> None:
    return None


@endpoint("GET", "/admin/api/down", name="down.read", guard=Guard.OPEN, summary="A refusal")
async def down(near: Neighbours) -> Made:
    raise HeadscaleDown("headscale does not answer.", since=12)


@endpoint("GET", "/admin/api/fault", name="fault.read", guard=Guard.OPEN, summary="A fault of ours")
async def fault(near: Neighbours) -> Made:
    raise ZeroDivisionError("hskey-auth-secret")


@endpoint("GET", "/admin/api/public/text", name="text.read", guard=Guard.PUBLIC, summary="Not JSON", media="text/plain")
async def text(near: Neighbours) -> bytes:
    return b"plain"


TABLE: tuple[Endpoint, ...] = (read, replace, delete, down, fault, text)


class Calls(DoorTestCase):
    def setUp(self) -> None:
        self.stub = self.door(TABLE, neighbours())

    def test_values_in_values_out(self) -> None:
        answer = self.ask(self.stub, "PUT", "/admin/api/things/7", SAME_ORIGIN, b'{"name": "b", "size": 2}')
        self.assertEqual((answer.status, answer.json), (200, {"id": 7, "thing": {"name": "b", "size": 2}}))

    def test_answer_has_length_type_and_is_not_stored(self) -> None:
        answer = self.ask(self.stub, "GET", "/admin/api/things/7")
        self.assertEqual(
            {name: answer.field(name) for name in ("content-type", "cache-control", "x-content-type-options", "server")},
            {"content-type": "application/json", "cache-control": "no-store", "x-content-type-options": "nosniff", "server": None},
        )
        self.assertEqual(answer.length, len(answer.body))
        self.assertEqual((answer.field("x-request-id"), answer.field("hsadmin-version")), (REQUEST_ID, __version__))

    def test_a_public_answer_does_not_tell_our_version(self) -> None:
        answer = self.ask(self.stub, "GET", "/admin/api/public/text")
        self.assertEqual((answer.body, answer.field("content-type"), answer.field("hsadmin-version")), (b"plain", "text/plain", None))

    def test_nothing_to_say_is_204(self) -> None:
        answer = self.ask(self.stub, "DELETE", "/admin/api/things/7", {"origin": "http://localhost:8080"})
        self.assertEqual((answer.status, answer.body), (204, b""))

    def test_head_has_no_body(self) -> None:
        answer = self.ask(self.stub, "HEAD", "/admin/api/things/7")
        self.assertEqual((answer.status, answer.body), (200, b""))

    def test_body_is_refused(self) -> None:
        for why, headers, body, status, code in (
            ("no content type", {"content-type": ""}, b'{"name": "b"}', 415, "request.media-type"),
            ("a form", {"content-type": "application/x-www-form-urlencoded"}, b"name=b", 415, "request.media-type"),
            ("JSON by another name", {"content-type": "text/plain"}, b'{"name": "b"}', 415, "request.media-type"),
            ("another charset", {"content-type": "application/json; charset=utf-16"}, b'{"name": "b"}', 415, "request.media-type"),
            ("not JSON", {}, b"{name: b}", 400, "request.invalid"),
            ("not UTF-8", {}, b'{"name": "\xff"}', 400, "request.invalid"),
            ("nothing", {}, b"", 400, "request.invalid"),
            ("a number for a text", {}, b'{"name": 1}', 400, "request.invalid"),
            ("a text for a number", {}, b'{"name": "b", "size": "2"}', 400, "request.invalid"),
            ("an unknown field", {}, b'{"name": "b", "colour": 1}', 400, "request.invalid"),
            ("a field missing", {}, b'{"size": 1}', 400, "request.invalid"),
            ("more after it", {}, b'{"name": "b"} {}', 400, "request.invalid"),
            ("too long", {}, b'{"name": "' + b"b" * 90 + b'"}', 413, "request.too-large"),
        ):
            with self.subTest(why):
                self.is_problem(self.ask(self.stub, "PUT", "/admin/api/things/7", {**SAME_ORIGIN, **headers}, body), status, code)

    def test_a_body_of_the_limit_is_taken(self) -> None:
        body = b'{"name": "' + b"b" * 88 + b'"}'
        self.assertEqual((len(body), self.ask(self.stub, "PUT", "/admin/api/things/7", SAME_ORIGIN, body).status), (100, 200))

    def test_charset_utf_8_is_taken(self) -> None:
        headers = {**SAME_ORIGIN, "content-type": 'Application/JSON; charset="UTF-8"'}
        self.assertEqual(self.ask(self.stub, "PUT", "/admin/api/things/7", headers, b'{"name": "b"}').status, 200)

    def test_body_where_none_is_taken(self) -> None:
        self.is_problem(self.ask(self.stub, "GET", "/admin/api/things/7", body=b"{}"), 400, "request.invalid")

    def test_no_such_path(self) -> None:
        for path in (
            "/admin/api/nothing",
            "/admin/api/things",
            "/admin/api/things/",
            "/admin/api//things/7",
            "/admin/api/things/7/",
            "/admin/api/things/seven",
            "/admin/api/things/1e3",
            "/admin/api/things/-7",
            "/admin/api/things/07",
            "/admin/api/things/7.0",
            "/",
            "/metrics",
        ):
            with self.subTest(path):
                self.is_problem(self.ask(self.stub, "GET", path), 404, "request.not-found")

    def test_no_such_method_names_those_there_are(self) -> None:
        answer = self.ask(self.stub, "POST", "/admin/api/things/7", SAME_ORIGIN, b"{}")
        self.is_problem(answer, 405, "request.method-not-allowed")
        self.assertEqual(answer.field("allow"), "DELETE, GET, HEAD, PUT")

    def test_odd_methods(self) -> None:
        for method in ("TRACE", "OPTIONS", "CONNECT", "get", "PROPFIND"):
            with self.subTest(method):
                self.is_problem(self.ask(self.stub, method, "/admin/api/things/7"), 405, "request.method-not-allowed")

    def test_a_path_that_is_no_text(self) -> None:
        self.is_problem(self.ask(self.stub, "GET", "/admin/api/things/%ff"), 400, "request.invalid")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_a_refusal_carries_its_sentence_and_facts(self) -> None:
        answer = self.ask(self.stub, "GET", "/admin/api/down")
        self.is_problem(answer, 503, "headscale.down")
        self.assertEqual(
            answer.json,
            {
                "type": "about:blank",
                "title": "Service Unavailable",
                "status": 503,
                "detail": "headscale does not answer.",
                "code": "headscale.down",
                "request_id": REQUEST_ID,
                "facts": {"since": 12},
            },
        )

    def test_a_fault_of_ours_is_in_the_log_and_not_in_the_answer(self) -> None:
        events: list[LogEvent] = []
        self.patch(app, "log", Logger(observer=cast(ILogObserver, events.append)))
        answer = self.ask(self.stub, "GET", "/admin/api/fault")
        self.is_problem(answer, 500, "internal")
        self.assertNotIn(b"hskey", answer.body)
        self.assertNotIn(b"Zero", answer.body)
        self.assertIn(REQUEST_ID, answer.json["detail"])
        self.assertEqual([(event["request"], event["log_failure"].type) for event in events], [(REQUEST_ID, ZeroDivisionError)])


class Gone(DoorTestCase):
    def test_a_handler_is_cancelled_when_its_browser_goes(self) -> None:
        """This is why a handler only watches a job, and never is one."""
        waiting: Deferred[None] = Deferred()
        ended: list[type[BaseException]] = []

        @endpoint("GET", "/admin/api/slow", name="slow.read", guard=Guard.OPEN, summary="Waits")
        async def slow(near: Neighbours) -> None:
            try:
                await waiting
            except BaseException as end:
                ended.append(type(end))
                raise

        door = self.door((slow,), neighbours())
        asked = door.request(b"GET", b"http://localhost/admin/api/slow")
        door.flush()
        self.assertEqual(ended, [])
        asked.cancel()
        door.flush()
        self.assertEqual(ended, [CancelledError])
        self.failureResultOf(asked)
        self.assertEqual(self.flushLoggedErrors(), [])


class Twice(DoorTestCase):
    def test_a_call_is_in_the_table_once(self) -> None:
        with self.assertRaises(ValueError):
            build((read, read), neighbours(), Rules(auth_disabled=True))
