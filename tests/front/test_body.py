"""Bodies: decoded exactly, cut anywhere, and what follows them left alone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from hsadmin.front.body import LAST_CHUNK, MAX_EXTENSION, MAX_TRAILERS, Body, ChunkedBody, LengthBody, Refused, UntilCloseBody, as_chunk
from tests.front.heads import BAD_CHUNKS, damaged
from tests.tables import TableCase, table

LIMIT = 64


def read(body: Body, pieces: list[bytes]) -> Any:
    """(payload, what was left over), or the refusal's word."""
    payload = b""
    for place, piece in enumerate(pieces):
        try:
            got, consumed = body.feed(piece)
        except Refused as refused:
            return refused.rule
        payload += got
        if body.done:
            return payload, piece[consumed:] + b"".join(pieces[place + 1 :])
        assert consumed == len(piece)
    return payload, None


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    at = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(at)]


def bytewise(data: bytes) -> list[bytes]:
    return pieces_of(data, list(range(len(data))))


class Length(TableCase):
    @table(
        ("at once", [b"hello"], b""),
        ("with the next request behind it", [b"helloGET "], b"GET "),
        ("in pieces", [b"he", b"", b"llo", b"x"], b"x"),
    )
    def test_read(self, name: str, pieces: list[bytes], rest: bytes) -> None:
        self.assertEqual(read(LengthBody(5), pieces), (b"hello", rest))

    def test_nothing_is_done_before_it_begins(self) -> None:
        body = LengthBody(0)
        self.assertTrue(body.done)
        self.assertEqual(body.feed(b"GET"), (b"", 0))

    def test_an_early_end_is_no_proper_end(self) -> None:
        body = LengthBody(5)
        body.feed(b"hell")
        self.assertFalse(body.end_of_input())
        body.feed(b"o")
        self.assertTrue(body.end_of_input())


class UntilClose(TableCase):
    def test_all_is_payload_until_the_end(self) -> None:
        body = UntilCloseBody()
        self.assertEqual(body.feed(b"abc"), (b"abc", 3))
        self.assertFalse(body.done)
        self.assertTrue(body.end_of_input())
        self.assertTrue(body.done)


class Chunked(TableCase):
    @table(
        ("one chunk", b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        ("none", b"0\r\n\r\n", b""),
        ("two", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        ("hex in both cases", b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
        ("leading zeros", b"0000000000000002\r\nhe\r\n000\r\n\r\n", b"he"),
        ("line ends as payload", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
        ("extension dropped", b'2;a=b;c="d e"\r\nhe\r\n0;x\r\n\r\n', b"he"),
        ("longest extension", b"2;" + b"a" * (MAX_EXTENSION - 1) + b"\r\nhe\r\n0\r\n\r\n", b"he"),
        ("trailers dropped", b"2\r\nhe\r\n0\r\nContent-Length: 3\r\nHost:\r\n\r\n", b"he"),
        ("longest trailers", b"0\r\nX: " + b"y" * (MAX_TRAILERS - len(b"X: \r\n\r\n")) + b"\r\n\r\n", b""),
    )
    def test_read(self, name: str, data: bytes, payload: bytes) -> None:
        whole = data + b"GET / HTTP/1.1\r\n"
        self.assertEqual(read(ChunkedBody(LIMIT), [whole]), (payload, b"GET / HTTP/1.1\r\n"))
        self.assertEqual(read(ChunkedBody(LIMIT), bytewise(whole)), (payload, b"GET / HTTP/1.1\r\n"))

    @table(*BAD_CHUNKS)
    def test_refused(self, name: str, data: bytes, rule: str, section: str) -> None:
        refused = self.assertRaises(Refused, read_all, ChunkedBody(LIMIT), [data])
        self.assertEqual((refused.rule, refused.section), (rule, section))

    @table(*BAD_CHUNKS)
    def test_refused_byte_by_byte(self, name: str, data: bytes, rule: str, section: str) -> None:
        self.assertEqual(read(ChunkedBody(LIMIT), bytewise(data)), rule)

    def test_the_limit_is_on_what_chunks_announce(self) -> None:
        self.assertEqual(read(ChunkedBody(5), [b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"]), (b"abcde", b""))
        self.assertEqual(read(ChunkedBody(5), [b"3\r\nabc\r\n3\r\n"]), "body-too-large")

    def test_payload_is_passed_on_before_its_chunk_is_whole(self) -> None:
        self.assertEqual(ChunkedBody().feed(b"ff\r\nabc"), (b"abc", 7))

    def test_only_the_last_empty_line_is_a_proper_end(self) -> None:
        body = ChunkedBody()
        for piece in bytewise(b"1\r\na\r\n0\r\n\r\n"):
            self.assertFalse(body.end_of_input())
            body.feed(piece)
        self.assertTrue(body.end_of_input())


def read_all(body: Body, pieces: list[bytes]) -> None:
    for piece in pieces:
        body.feed(piece)


class Framing(TableCase):
    def test_a_chunk(self) -> None:
        self.assertEqual(as_chunk(b"x" * 26), b"1a\r\n" + b"x" * 26 + b"\r\n")

    def test_nothing_is_not_the_last_chunk(self) -> None:
        self.assertEqual(as_chunk(b""), b"")


EXTENSIONS = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b c"'])
CHUNK = st.builds(lambda extension, part: b"%x%b\r\n%b\r\n" % (len(part), extension, part), EXTENSIONS, st.binary(min_size=1, max_size=20))
LAST = st.sampled_from([LAST_CHUNK, b"000\r\n\r\n", b"0;x\r\nX-A: b\r\nY:\r\n\r\n"])
CHUNKS = st.builds(lambda chunks, last: b"".join(chunks) + last, st.lists(CHUNK, max_size=3), LAST)
SMALL = st.sampled_from([b"", b"3", b"\r\n", b"\r", b"\n", b";", b"0\r\n", b"0", b":", b" ", b"\x00", b"g", b"\r\n\r\n"])
ANY = CHUNKS | damaged(CHUNKS, SMALL) | st.lists(SMALL, max_size=12).map(b"".join)
CUTS = st.lists(st.integers(0, 200), max_size=8)


class Properties(TableCase):
    @settings(max_examples=600, deadline=None, derandomize=True, database=None)
    @given(ANY, CUTS)
    def test_segments_do_not_matter(self, data: bytes, cuts: list[int]) -> None:
        self.assertEqual(read(ChunkedBody(LIMIT), pieces_of(data, cuts)), read(ChunkedBody(LIMIT), [data]))

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(st.lists(st.binary(max_size=40), max_size=6), CUTS, st.binary(max_size=5))
    def test_what_we_frame_we_read_and_h11_reads(self, parts: list[bytes], cuts: list[int], behind: bytes) -> None:
        data = b"".join(map(as_chunk, parts)) + LAST_CHUNK
        self.assertEqual(read(ChunkedBody(), pieces_of(data + behind, cuts)), (b"".join(parts), behind))
        theirs = h11.Connection(h11.SERVER)
        theirs.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
        theirs.next_event()
        payload = b""
        while isinstance(event := theirs.next_event(), h11.Data):
            payload += event.data
        self.assertIsInstance(event, h11.EndOfMessage)
        self.assertEqual(payload, b"".join(parts))

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(ANY)
    def test_what_we_take_h11_takes_alike(self, data: bytes) -> None:
        said = read(ChunkedBody(), [data])
        if not isinstance(said, tuple) or said[1] is None:
            return
        theirs = h11.Connection(h11.SERVER)
        theirs.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data[: len(data) - len(said[1])])
        theirs.next_event()
        payload = b""
        while isinstance(event := theirs.next_event(), h11.Data):
            payload += event.data
        self.assertIsInstance(event, h11.EndOfMessage)
        self.assertEqual(payload, said[0])
