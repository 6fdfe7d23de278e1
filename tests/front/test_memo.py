"""Which heads are remembered, and what else is with them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.allow import Decision, Route, Target
from hsadmin.front.head import Refused, parse_request, parse_response
from hsadmin.front.memo import LONGEST, MOST, Answers, Asked, Requests
from tests.fakes.memory import MemoryFront, answer, request, switching, upgrade

HEADSCALE = Decision(Route("key"))


class RequestsTests(SynchronousTestCase):
    def test_what_is_remembered_is_what_would_be_parsed(self) -> None:
        memo = Requests()
        for data in (request("/key"), request("/key", "Accept: */*"), request("/key", method="HEAD")):
            first = memo.read(data)
            assert first is not None
            self.assertEqual(first.head, parse_request(data))
            self.assertIs(memo.read(bytes(bytearray(data))), first)
        self.assertEqual(len(memo), 3)

    def test_what_is_not_remembered(self) -> None:
        for name, data in (
            ("cookie", request("/admin", "Cookie: a=b")),
            ("cookie, odd case", request("/admin", "cOOkie: a=b")),
            ("authorization", request("/admin", "Authorization: Bearer x")),
            ("a body", request("/admin", "Content-Length: 1", method="PUT")),
            ("chunks", request("/admin", "Transfer-Encoding: chunked", method="PUT")),
            ("an upgrade", upgrade()),
            ("more than the head", request("/key") + b"G"),
            ("long", request("/key", "X: " + "x" * LONGEST)),
            ("unfinished", request("/key")[:-1]),
        ):
            memo = Requests()
            asked = memo.read(data)
            self.assertEqual(asked and asked.head, parse_request(data), msg=name)
            self.assertEqual(len(memo), 0, msg=name)
            if asked is not None:
                asked.decided(HEADSCALE)
                asked.wrote(b"head")
                self.assertEqual((asked.decision, asked.upstream), (None, b""), msg=name)

    def test_a_decision_that_may_depend_on_the_address_is_made_each_time(self) -> None:
        asked = Requests().read(request("/key"))
        assert asked is not None
        for target in (Target.CONSOLE, Target.OWN, Target.NOTHING):
            asked.decided(Decision(Route("x", target=target)))
            asked.wrote(b"head")
            self.assertEqual((asked.decision, asked.upstream), (None, b""))
        asked.decided(HEADSCALE)
        asked.wrote(b"head")
        self.assertEqual((asked.decision, asked.upstream), (HEADSCALE, b"head"))

    def test_it_is_bounded(self) -> None:
        memo = Requests()
        for number in range(3 * MOST):
            memo.read(request(f"/key?v={number}"))
            self.assertLessEqual(len(memo), MOST)

    def test_a_refusal_is_no_memory(self) -> None:
        memo = Requests()
        for _ in range(2):
            self.assertRaises(Refused, memo.read, b"GET / HTTP/1.1\n\n")
        self.assertEqual(len(memo), 0)


class AnswersTests(SynchronousTestCase):
    def test_what_is_remembered_is_what_would_be_parsed(self) -> None:
        memo = Answers()
        for data in (answer(b"x"), answer(b"", "Date: now"), answer(b"x") + b"more", b"HTTP/1.1 200 OK\r\n\r\n"):
            first = memo.read(data, to_head_request=False)
            assert first is not None
            self.assertEqual(first.head, parse_response(data, to_head_request=False))
            self.assertIs(memo.read(data + b"and more", to_head_request=False), first)
        self.assertEqual(len(memo), 3)

    def test_what_is_not_remembered(self) -> None:
        for name, data, to_head in (
            ("to HEAD", answer(b""), True),
            ("a cookie", answer(b"", "Set-Cookie: a=b"), False),
            ("a redirect", answer(b"", "Location: /register/secret", status="302 Found"), False),
            ("an interim answer", b"HTTP/1.1 103 Early Hints\r\n\r\n", False),
            ("a switch", switching(), False),
            ("long", answer(b"", "X: " + "x" * LONGEST), False),
            ("unfinished", answer(b"")[:-1], False),
        ):
            memo = Answers()
            heard = memo.read(data, to_head_request=to_head)
            self.assertEqual(heard and heard.head, parse_response(data, to_head_request=to_head), msg=name)
            self.assertEqual(len(memo), 0, msg=name)

    def test_it_is_bounded_and_refuses(self) -> None:
        memo = Answers()
        for number in range(2 * MOST):
            memo.read(answer(b"", f"X: {number}"), to_head_request=False)
            self.assertLessEqual(len(memo), MOST)
        self.assertRaises(Refused, memo.read, b"HTTP/1.1 200 OK\r\nA b\r\n\r\n", to_head_request=False)


class VisitorTests(SynchronousTestCase):
    def test_who_asks_the_same_is_told_by_his_own_circumstances(self) -> None:
        """Same bytes, same answer from upstream, other visitors: nothing of one reaches another by way of a memory."""
        house = MemoryFront()
        data = answer(b"{}", "Date: now")
        for method, minor, expected in (
            ("GET", b"1.1", (b"", b"{}")),
            ("HEAD", b"1.1", (b"", b"")),
            ("GET", b"1.0", (b"Connection: close", b"{}")),
            ("GET", b"1.1", (b"", b"{}")),
        ):
            visitor = house.visit()
            visitor.say(request("/derp/probe", method=method).replace(b"1.1", minor))
            upstream = house.upstream()
            self.assertTrue(upstream.written.startswith(method.encode() + b" /derp/probe HTTP/1.1\r\n"))
            upstream.say(data[:-2] if method == "HEAD" else data)
            head, _, body = visitor.written.partition(b"\r\n\r\n")
            self.assertEqual((b"Connection: close" if b"Connection: close" in head else b"", body), expected, msg=f"{method} {minor!r}")
            upstream.lose()
            visitor.lose()

    def test_an_unfinished_head_is_not_read_again_at_every_byte(self) -> None:
        house = MemoryFront()
        visitor = house.visit()
        looks = 0
        read = Requests.read

        def counted(memo: Requests, data: bytes) -> Asked | None:
            nonlocal looks
            looks += 1
            return read(memo, data)

        self.patch(Requests, "read", counted)
        visitor.say(b"GET /key HTTP/1.1\r\nHost: hs.example\r\nX: ")
        for _ in range(16 * 1024):
            visitor.say(b"x")
        self.assertLess(looks, 20)
        self.assertTrue(visitor.written.startswith(b"HTTP/1.1 431 "))
        self.assertTrue(visitor.ended)
