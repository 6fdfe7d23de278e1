"""The console's calls, with the other rooms as fakes."""

from __future__ import annotations

from typing import Any

from hsadmin import __version__
from hsadmin.console.api import CALLS
from hsadmin.console.openapi import described
from hsadmin.model.engine import EngineState, Phase, Trust
from hsadmin.model.front import OpenStream
from tests.console.support import Answer, DoorTestCase
from tests.fakes.rooms import CA_PEM, FakeCertificates, FakeEngine, FakeFront, neighbours

TLS: dict[str, Any] = {"public_url": "https://tailnet.example.com", "tls_mode": "self-signed"}


class CallsTestCase(DoorTestCase):
    def get(self, path: str, *, auth_disabled: bool = True, **given: Any) -> Answer:
        return self.ask(self.door(described(CALLS), neighbours(**given), auth_disabled=auth_disabled), "GET", path)


class Health(CallsTestCase):
    def test_well(self) -> None:
        self.assertEqual(self.get("/admin/api/health").json, {"well": True, "headscale": "ready", "reason": ""})

    def test_not_well_says_why(self) -> None:
        state = EngineState(phase=Phase.CRASH_LOOP, code="engine.crash-loop", reason="headscale ended 5 times in a minute.")
        answer = self.get("/admin/api/health", engine=FakeEngine(state))
        self.assertEqual(answer.json, {"well": False, "headscale": "crash-loop", "reason": "headscale ended 5 times in a minute."})


class Status(CallsTestCase):
    def test_all_of_it(self) -> None:
        front = FakeFront()
        front.streams = [
            OpenStream(id=n, route="derp" if n % 3 else "ts2021", peer="192.0.2.1", since=1.0, received=n, sent=0) for n in range(150)
        ]
        status = self.get("/admin/api/status", front=front, certificates=FakeCertificates(), **TLS).json
        self.assertEqual(
            (status["version"], status["uptime"], status["public_url"], status["headscale"]["phase"], status["headscale"]["version"]),
            (__version__, 60.0, "https://tailnet.example.com", "ready", "0.29.3"),
        )
        self.assertEqual((status["streams"]["total"], status["streams"]["by_route"]), (150, {"ts2021": 50, "derp": 100}))
        self.assertEqual([stream["id"] for stream in status["streams"]["oldest"]], list(range(100)))
        self.assertEqual(status["counters"], {"requests.key": 5, "requests.ts2021": 3})
        self.assertEqual(status["listening"], [{"address": "127.0.0.1:8080", "tls": False, "purpose": "public"}])
        self.assertEqual(status["lag"]["buckets"], [{"upto": 0.001, "beats": 3}, {"upto": None, "beats": 0}])
        self.assertEqual(status["certificate"], {"summary": FakeCertificates.summary, "publicly_trusted": False})

    def test_what_is_believed_since_its_first_use(self) -> None:
        built = FakeEngine(EngineState(phase=Phase.READY, version="0.29.3", trust=Trust.FIRST_USE))
        for given, sentences in (({}, 0), ({"engine": built}, 1), ({"engine": built, "certificates": FakeCertificates()}, 2)):
            self.assertEqual(len(self.get("/admin/api/status", **given).json["trust"]), sentences)

    def test_headscale_that_cannot_start_is_a_state_and_not_an_error(self) -> None:
        state = EngineState(phase=Phase.UNAVAILABLE, code="release.no-go", reason="No Go.", last_lines=("a", "b"), retry_at=12.5)
        headscale = self.get("/admin/api/status", engine=FakeEngine(state)).json["headscale"]
        self.assertEqual(
            {key: headscale[key] for key in ("phase", "code", "reason", "last_lines", "retry_at")},
            {"phase": "unavailable", "code": "release.no-go", "reason": "No Go.", "last_lines": ["a", "b"], "retry_at": 12.5},
        )


class Connect(CallsTestCase):
    def test_what_the_page_says(self) -> None:
        for why, given, expected in (
            ("trial", {}, {"login_server": "http://127.0.0.1:8080", "tls": "off", "ca": "", "relay": False}),
            (
                "own authority",
                {**TLS, "certificates": FakeCertificates()},
                {"login_server": "https://tailnet.example.com", "tls": "self-signed", "ca": "/admin/api/public/ca.pem", "relay": True},
            ),
            (
                "a certificate that everybody trusts",
                {**TLS, "tls_mode": "files", "certificates": FakeCertificates(None)},
                {"login_server": "https://tailnet.example.com", "tls": "files", "ca": "", "relay": True},
            ),
        ):
            with self.subTest(why):
                answer = self.get("/admin/api/public/server", auth_disabled=False, **given)
                self.assertEqual(answer.json, {**expected, "minimum_client": "1.80"})

    def test_the_authority(self) -> None:
        answer = self.get("/admin/api/public/ca.pem", auth_disabled=False, certificates=FakeCertificates())
        self.assertEqual((answer.status, answer.field("content-type"), answer.body), (200, "application/x-pem-file", CA_PEM))

    def test_no_authority(self) -> None:
        for certificates in (None, FakeCertificates(None)):
            self.is_problem(self.get("/admin/api/public/ca.pem", auth_disabled=False, certificates=certificates), 404, "request.not-found")


class Shut(CallsTestCase):
    def test_only_public_calls_answer_before_there_is_sign_in(self) -> None:
        for path in ("/admin/api/health", "/admin/api/status", "/admin/api/openapi.json"):
            with self.subTest(path):
                self.is_problem(self.get(path, auth_disabled=False), 403, "request.forbidden")
