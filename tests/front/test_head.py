"""Heads of requests and answers: what is read out of good ones, that bad ones are refused by the right rule, and that segments do not matter."""

from __future__ import annotations

from typing import Any

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hsadmin.front.head import MAX_HEAD, Refused, RequestHead, ResponseHead, parse_request, parse_response
from tests.front.heads import BAD_HEADS, OK, damaged, get, post
from tests.tables import TableCase, table


def request(data: bytes) -> RequestHead:
    head = parse_request(data)
    assert head is not None
    return head


def response(data: bytes, *, to_head_request: bool = False) -> ResponseHead:
    head = parse_response(data, to_head_request=to_head_request)
    assert head is not None
    return head


def verdict(data: bytes) -> Any:
    """What is said of these bytes when they come at once: the head, None, or the refusal's word."""
    try:
        return parse_request(data)
    except Refused as refused:
        return refused.rule, refused.status, refused.section


def verdict_in_pieces(data: bytes, cuts: list[int]) -> Any:
    """What is said at the first of the growing beginnings for which anything is said."""
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        said = verdict(data[:cut])
        if said is not None:
            return said
    return None


class Good(TableCase):
    def test_all_that_is_known_of_a_request(self) -> None:
        data = b"POST /ts2021?a=b HTTP/1.1\r\nHost: HS.example:8443\r\nX-One:  1 \t\r\nX-Two:\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n"
        head = request(data + b"rest")
        self.assertEqual((head.method, head.path, head.query, head.minor), (b"POST", b"/ts2021", b"?a=b", 1))
        self.assertEqual((head.host, head.get(b"host")), (b"hs.example", b"HS.example:8443"))
        self.assertEqual(head.fields[1:3], ((b"x-one", b"1"), (b"x-two", b"")))
        self.assertEqual((head.length, head.chunked, head.has_body, head.expect_continue), (12, False, True, True))
        self.assertEqual((head.keep_alive, head.upgrade, head.size), (True, b"", len(data)))
        self.assertIsNone(head.get(b"x-three"))

    @table(
        ("plain", b"hs.example", b"hs.example"),
        ("capitals", b"HS.Example", b"hs.example"),
        ("port", b"hs.example:443", b"hs.example"),
        ("empty port", b"hs.example:", b"hs.example"),
        ("trailing dot stays", b"hs.example.", b"hs.example."),
        ("ipv4", b"127.0.0.1:8080", b"127.0.0.1"),
        ("ipv6", b"[::1]:8080", b"[::1]"),
        ("ipv6 alone", b"[FD7A::1]", b"[fd7a::1]"),
        ("one letter", b"a", b"a"),
    )
    def test_host(self, name: str, value: bytes, host: bytes) -> None:
        self.assertEqual(request(b"GET / HTTP/1.1\r\nHost: " + value + b"\r\n\r\n").host, host)

    @table(
        ("1.1", b"", 1, True),
        ("1.1 close", b"Connection: Close\r\n", 1, False),
        ("1.1 close among others", b"Connection: foo, close\r\n", 1, False),
        ("1.1 close in a second field", b"Connection: foo\r\nConnection: close\r\n", 1, False),
        ("1.0", b"", 0, False),
        ("1.0 keep-alive", b"Connection: keep-alive\r\n", 0, True),
        ("1.0 both", b"Connection: keep-alive, close\r\n", 0, False),
    )
    def test_keep_alive(self, name: str, fields: bytes, minor: int, kept: bool) -> None:
        data = b"GET / HTTP/1.%d\r\n" % minor + OK + fields + b"\r\n"
        self.assertIs(request(data).keep_alive, kept)

    @table(
        ("as clients ask", b"Connection: upgrade\r\nUpgrade: tailscale-control-protocol\r\n", b"tailscale-control-protocol"),
        ("as firefox asks", b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n", b"websocket"),
        ("with a version", b"Connection: upgrade\r\nUpgrade: x/1\r\n", b"x/1"),
        ("connection does not say so", b"Upgrade: DERP\r\n", b""),
        ("nothing named", b"Connection: upgrade\r\n", b""),
        ("two named", b"Connection: upgrade\r\nUpgrade: derp, websocket\r\n", b""),
        ("two fields", b"Connection: upgrade\r\nUpgrade: derp\r\nUpgrade: websocket\r\n", b""),
    )
    def test_upgrade(self, name: str, fields: bytes, upgrade: bytes) -> None:
        self.assertEqual(request(get(fields)).upgrade, upgrade)

    def test_http_1_0_knows_neither_upgrade_nor_expectation(self) -> None:
        head = request(b"GET / HTTP/1.0\r\n" + OK + b"Connection: upgrade\r\nUpgrade: derp\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual((head.upgrade, head.expect_continue), (b"", False))

    def test_upgrade_with_an_empty_body_as_the_native_client_sends_it(self) -> None:
        head = request(post(b"Content-Length: 0\r\nConnection: upgrade\r\nUpgrade: tailscale-control-protocol\r\n"))
        self.assertEqual((head.upgrade, head.has_body), (b"tailscale-control-protocol", False))

    def test_chunked_in_any_case(self) -> None:
        head = request(post(b"Transfer-Encoding: Chunked\r\n"))
        self.assertEqual((head.chunked, head.length, head.has_body), (True, 0, True))

    def test_what_may_be_repeated_is_joined(self) -> None:
        head = request(get(b"X-Forwarded-For: a\r\nCookie: a=1\r\nX-Forwarded-For: b\r\nCookie: b=2\r\n"))
        self.assertEqual((head.get(b"x-forwarded-for"), head.get(b"cookie")), (b"a, b", b"a=1; b=2"))
        self.assertEqual([value for name, value in head.fields if name == b"x-forwarded-for"], [b"a", b"b"])

    @table(
        ("with a path", b"http://hs.example/key?v=1", b"/key", b"?v=1"),
        ("with nothing", b"HTTPS://HS.example", b"/", b""),
        ("with a query only", b"http://hs.example?v=1", b"/", b"?v=1"),
    )
    def test_absolute_form_of_the_same_authority(self, name: str, target: bytes, path: bytes, query: bytes) -> None:
        head = request(b"GET " + target + b" HTTP/1.1\r\n" + OK + b"\r\n")
        self.assertEqual((head.path, head.query, head.host), (path, query, b"hs.example"))

    def test_the_largest_head(self) -> None:
        data = get(b"X: " + b"y" * (MAX_HEAD - len(get(b"X: \r\n"))) + b"\r\n")
        self.assertEqual(request(data).size, MAX_HEAD)
        self.assertIsNone(parse_request(data[:-1]))

    def test_a_hundred_fields(self) -> None:
        self.assertEqual(len(request(get(b"X: y\r\n" * 99)).fields), 100)

    def test_any_kind_of_buffer(self) -> None:
        data = get(b"X: y\r\n")
        self.assertEqual(parse_request(bytearray(data)), request(data))
        self.assertEqual(parse_request(memoryview(data)), request(data))
        self.assertIsNone(parse_request(bytearray(data[:9])))

    def test_nothing_yet(self) -> None:
        self.assertIsNone(parse_request(b""))


class Bad(TableCase):
    @table(*BAD_HEADS)
    def test_refused(self, name: str, data: bytes, rule: str, section: str) -> None:
        refused = self.assertRaises(Refused, parse_request, data)
        self.assertEqual((refused.rule, refused.section), (rule, section))

    @table(*BAD_HEADS)
    def test_refused_byte_by_byte(self, name: str, data: bytes, rule: str, section: str) -> None:
        self.assertEqual(verdict_in_pieces(data, list(range(len(data))))[0], rule)

    def test_there_are_enough_of_them(self) -> None:
        self.assertGreaterEqual(len(BAD_HEADS), 60)
        self.assertEqual(len({data for _, data, _, _ in BAD_HEADS}), len(BAD_HEADS))

    @table(
        ("syntax", b"\x00", 400),
        ("size", get(b"X: " + b"y" * MAX_HEAD), 431),
        ("target", b"GET /" + b"a" * 9000, 414),
        ("version", b"GET / HTTP/3", 505),
        ("coding", post(b"Transfer-Encoding: br\r\n"), 501),
        ("expectation", post(b"Expect: x\r\n"), 417),
    )
    def test_status(self, name: str, data: bytes, status: int) -> None:
        self.assertEqual(self.assertRaises(Refused, parse_request, data).status, status)

    def test_a_refusal_says_nothing_of_what_was_sent(self) -> None:
        refused = self.assertRaises(Refused, parse_request, get(b"Authorization: Bearer secret\r\nContent-Length: secret\r\n"))
        self.assertNotIn("secret", repr(refused) + repr(vars(refused)))


# What to make heads of: pieces that mean something, whole and broken, between arbitrary bytes.
PIECES = st.sampled_from(
    [data for _, data, _, _ in BAD_HEADS if len(data) < 400]
    + [
        b"GET ",
        b"POST ",
        b"/key",
        b"/",
        b"?v=1",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"\r\n",
        b"\r",
        b"\n",
        b"\r\n\r\n",
        OK,
        b" ",
        b"\t",
        b":",
        b",",
    ]
    + [
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\n",
        b"Upgrade: derp\r\n",
        b"X: y\r\n",
        b"http://",
    ]
)
JUNK = st.lists(PIECES | st.binary(max_size=6), max_size=8).map(b"".join)

NAMES = st.from_regex(rb"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,20}\Z")
VALUES = st.binary(max_size=30).map(lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F).strip(b" "))
FIELD_LINES = st.tuples(NAMES, VALUES) | st.sampled_from(
    [(b"Content-Length", b"3"), (b"Connection", b"close"), (b"Connection", b"upgrade"), (b"Upgrade", b"derp"), (b"Cookie", b"a=b")]
)
HEADS = st.builds(
    lambda method, path, minor, fields: (
        b"%b %b HTTP/1.%d\r\n" % (method, path, minor) + OK + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
    ),
    st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT"]),
    st.from_regex(rb"\A/[A-Za-z0-9\-._~%/]{0,20}(\?[A-Za-z0-9=&%]{0,20})?\Z"),
    st.sampled_from([0, 1]),
    st.lists(FIELD_LINES, max_size=12),
)
SMALL = st.sampled_from(
    [b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n ", b":", b",", b"\x00", b"\x0b", b"\xff", b"/", b"?", b"1", b"A", b"chunked"]
)
ANY = JUNK | HEADS | damaged(HEADS, SMALL)
CUTS = st.lists(st.integers(0, 400), max_size=6)


class Properties(TableCase):
    @settings(max_examples=600, deadline=None, derandomize=True, database=None)
    @given(ANY, CUTS)
    @example(b"GET / HTTP/1.1\r\n\r\n", [16, 17, 18])
    def test_segments_do_not_matter(self, data: bytes, cuts: list[int]) -> None:
        self.assertEqual(verdict_in_pieces(data, cuts), verdict(data))

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(ANY, JUNK)
    def test_what_follows_a_verdict_does_not_change_it(self, data: bytes, more: bytes) -> None:
        said = verdict(data)
        if said is not None:
            self.assertEqual(verdict(data + more), said)

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(ANY)
    def test_what_we_take_h11_takes_alike(self, data: bytes) -> None:
        said = verdict(data)
        if not isinstance(said, RequestHead):
            return
        theirs = h11.Connection(h11.SERVER)
        theirs.receive_data(data[: said.size])
        event = theirs.next_event()
        assert isinstance(event, h11.Request)
        self.assertEqual(event.method, said.method)
        self.assertEqual(tuple((name, value) for name, value in event.headers), said.fields)
        if not event.target.lower().startswith(b"http"):
            self.assertEqual(event.target, said.path + said.query)

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(HEADS, st.binary(min_size=1, max_size=3), st.integers(0, 300))
    def test_a_whole_head_with_a_control_byte_is_never_taken(self, data: bytes, junk: bytes, at: int) -> None:
        at %= len(data) - 4
        said = verdict(data[:at] + b"\x00" + junk + data[at:])
        self.assertNotIsInstance(said, RequestHead)


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\n"


class Answers(TableCase):
    def test_all_that_is_known_of_an_answer(self) -> None:
        head = response(ANSWER + b"hello")
        self.assertEqual((head.status, head.minor, head.reason, head.size), (200, 1, b"OK", len(ANSWER)))
        self.assertEqual((head.length, head.chunked, head.until_close, head.keep_alive), (5, False, False, True))
        self.assertEqual((head.fields[1], head.get(b"x-a"), head.upgrade), ((b"x-a", b"b"), b"b", b""))

    @table(
        ("length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 5, False, False),
        ("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None, True, False),
        ("neither", b"HTTP/1.1 200 OK\r\n\r\n", None, False, True),
        ("no content", b"HTTP/1.1 204 No Content\r\n\r\n", 0, False, False),
        ("not modified keeps its length to itself", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 0, False, False),
        ("switch", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: DERP\r\n\r\n", 0, False, False),
        ("no reason", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 0, False, False),
    )
    def test_body(self, name: str, data: bytes, length: int | None, chunked: bool, until_close: bool) -> None:
        head = response(data)
        self.assertEqual((head.length, head.chunked, head.until_close), (length, chunked, until_close))

    def test_an_answer_to_head_has_no_body_but_says_its_length(self) -> None:
        head = response(ANSWER, to_head_request=True)
        self.assertEqual((head.length, head.get(b"content-length")), (0, b"5"))

    def test_the_protocol_that_was_switched_to(self) -> None:
        self.assertEqual(response(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n").upgrade, b"derp")

    @table(
        ("until close", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("close", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        ("1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    )
    def test_not_kept_alive(self, name: str, data: bytes) -> None:
        self.assertFalse(response(data).keep_alive)

    @table(
        ("no http", b"SSH-2.0-x\r\n", "odd-version"),
        ("http 2", b"HTTP/2 200\r\n", "other-version"),
        ("no status", b"HTTP/1.1 OK\r\n", "odd-status-line"),
        ("status 600", b"HTTP/1.1 600 X\r\n", "odd-status-line"),
        ("status of four digits", b"HTTP/1.1 2000 X\r\n", "odd-status-line"),
        ("no space after status", b"HTTP/1.1 200\r\n\r\n", "bare-cr"),
        ("bare lf", b"HTTP/1.1 200 OK\nX: y\n\n", "bare-lf"),
        ("fold", b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", "obs-fold"),
        ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "several-lengths"),
        ("odd length", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "odd-length"),
        ("length beside coding", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "length-beside-coding"),
        ("odd coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "odd-coding"),
        ("coding in 1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "coding-in-1.0"),
        ("endless", b"HTTP/1.1 200 OK\r\nX: " + b"y" * MAX_HEAD, "head-too-large"),
    )
    def test_refused(self, name: str, data: bytes, rule: str) -> None:
        for cut in (len(data), *range(1, len(data))):
            try:
                parse_response(data[:cut], to_head_request=False)
            except Refused as refused:
                self.assertEqual((refused.rule, refused.status), (rule, 502))
            else:
                self.assertNotEqual(cut, len(data))

    def test_nothing_yet(self) -> None:
        for cut in range(len(ANSWER)):
            self.assertIsNone(parse_response(ANSWER[:cut], to_head_request=False))
