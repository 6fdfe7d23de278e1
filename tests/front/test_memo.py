"""Which heads are remembered."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.head import Refused, RequestHead, parse_request
from hsadmin.front.memo import LONGEST, MOST, Memo
from tests.fakes.memory import MemoryFront, request, upgrade


class MemoTests(SynchronousTestCase):
    def test_what_is_remembered_is_what_would_be_parsed(self) -> None:
        memo = Memo()
        for data in (request("/key"), request("/key", "Accept: */*"), request("/key", method="HEAD")):
            first = memo.parse(data)
            self.assertEqual(first, parse_request(data))
            self.assertIs(memo.parse(bytes(bytearray(data))), first)
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
            memo = Memo()
            self.assertEqual(memo.parse(data), parse_request(data), msg=name)
            self.assertEqual(len(memo), 0, msg=name)

    def test_it_is_bounded(self) -> None:
        memo = Memo()
        for number in range(3 * MOST):
            memo.parse(request(f"/key?v={number}"))
            self.assertLessEqual(len(memo), MOST)

    def test_a_refusal_is_no_memory(self) -> None:
        memo = Memo()
        for _ in range(2):
            self.assertRaises(Refused, memo.parse, b"GET / HTTP/1.1\n\n")
        self.assertEqual(len(memo), 0)


class VisitorTests(SynchronousTestCase):
    def test_an_unfinished_head_is_not_read_again_at_every_byte(self) -> None:
        house = MemoryFront()
        visitor = house.visit()
        looks = 0
        parse = house.front._house.memo.parse

        def counted(data: bytes) -> RequestHead | None:
            nonlocal looks
            looks += 1
            return parse(data)

        self.patch(Memo, "parse", lambda memo, data: counted(data))
        visitor.say(b"GET /key HTTP/1.1\r\nHost: hs.example\r\nX: ")
        for _ in range(16 * 1024):
            visitor.say(b"x")
        self.assertLess(looks, 20)
        self.assertTrue(visitor.written.startswith(b"HTTP/1.1 431 "))
        self.assertTrue(visitor.ended)
