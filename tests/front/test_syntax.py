"""The rules as a table, and that the walk for a fault and the expressions for good heads agree."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hsadmin.front import syntax
from hsadmin.front.syntax import MAX_HEAD, REQUEST, REQUEST_LINE, RESPONSE, RULES, STATUS_LINE, Refused, first_fault
from tests.front.heads import BAD_CHUNKS, BAD_HEADS
from tests.tables import TableCase

FRONT = Path(syntax.__file__).parent
ALPHABET = st.sampled_from(
    [bytes([byte]) for byte in b"GAz01./?:#*@%, \t\r\n\x00\x7f\xff"]
    + [b"\r\n", b" HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", b"GET /", b"A: b\r\n"]
)
TEXT = st.lists(ALPHABET, max_size=14).map(b"".join)


class Rules(TableCase):
    def test_each_has_a_status_a_section_and_a_reason(self) -> None:
        for word, rule in RULES.items():
            self.assertRegex(word, r"\A[a-z0-9.]+(-[a-z0-9.]+)*\Z")
            self.assertIn(HTTPStatus(rule.status).value // 100, (4, 5))
            self.assertRegex(rule.section, r"\ARFC \d{4} \d+(\.\d+)*\Z")
            self.assertGreater(len(rule.reason), 15, word)

    def test_each_is_broken_by_a_row_of_the_tests(self) -> None:
        rows = {rule for _, _, rule, _ in BAD_HEADS + BAD_CHUNKS}
        self.assertEqual(set(RULES) - rows, {"odd-status-line"})  # of answers, which have a table of their own

    def test_each_is_used_by_the_code_under_its_very_word(self) -> None:
        code = "".join(path.read_text() for path in (FRONT / "syntax.py", FRONT / "head.py", FRONT / "body.py"))
        for word in RULES:
            self.assertGreaterEqual(len(re.findall(f'"{re.escape(word)}"', code)), 2, word)

    def test_an_upstream_s_fault_has_the_caller_s_status(self) -> None:
        self.assertEqual((Refused("obs-fold").status, Refused("obs-fold", 502).status), (400, 502))


class Walk(TableCase):
    def test_a_beginning_of_a_good_head_has_no_fault(self) -> None:
        for line, start_line in (
            (b"POST /a?b HTTP/1.0\r\n", REQUEST_LINE),
            (b"GET HTTPS://a:1/b?c HTTP/1.1\r\n", REQUEST_LINE),
            (b"HTTP/1.1 200 \r\n", STATUS_LINE),
        ):
            data = line + b"A:\r\nB-c: \xff \t\r\n\r\n"
            for cut in range(len(data)):
                self.assertIsNone(first_fault(data[:cut], start_line), data[:cut])

    @settings(max_examples=800, deadline=None, derandomize=True, database=None)
    @given(TEXT)
    def test_the_walk_stays_silent_only_where_more_bytes_help(self, data: bytes) -> None:
        """Either the expression matches, or there is a fault, or the text is a beginning: then a fault of its own is found behind it."""
        for expression, start_line in ((REQUEST, REQUEST_LINE), (RESPONSE, STATUS_LINE)):
            if expression.match(data) is None and first_fault(data, start_line) is None:
                self.assertIsNotNone(first_fault(data + b"\x00", start_line))

    @settings(max_examples=400, deadline=None, derandomize=True, database=None)
    @given(TEXT)
    def test_a_fault_is_final(self, data: bytes) -> None:
        for expression, start_line in ((REQUEST, REQUEST_LINE), (RESPONSE, STATUS_LINE)):
            if expression.match(data) is None and (fault := first_fault(data, start_line)):
                for more in (b"x", b"\r\n\r\n", b" HTTP/1.1\r\n\r\n"):
                    self.assertIsNone(expression.match(data + more))
                    self.assertEqual(first_fault(data + more, start_line), fault)

    def test_an_unfinished_head_is_too_large_with_its_last_byte(self) -> None:
        data = b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD
        self.assertIsNone(first_fault(data[: MAX_HEAD - 1], REQUEST_LINE))
        self.assertEqual(first_fault(data[:MAX_HEAD], REQUEST_LINE), "head-too-large")

    def test_a_fault_beyond_the_limit_is_not_looked_for(self) -> None:
        data = (b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_HEAD)[:MAX_HEAD]
        self.assertEqual(first_fault(data + b"\x00", REQUEST_LINE), "head-too-large")
