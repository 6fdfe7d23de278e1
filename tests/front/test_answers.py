"""Own answers: as bytes, and that they say nothing of who answers."""

from __future__ import annotations

import h11

from hsadmin.front import answers
from hsadmin.front.answers import OwnAnswer
from hsadmin.front.syntax import RULES, Refused
from tests.tables import TableCase, table

ALL: tuple[tuple[str, OwnAnswer], ...] = (
    ("forbidden", answers.FORBIDDEN),
    ("not found", answers.NOT_FOUND),
    ("timed out", answers.TIMED_OUT),
    ("too large", answers.BODY_TOO_LARGE),
    ("bad handshake", answers.BAD_HANDSHAKE),
    ("misdirected", answers.MISDIRECTED),
    ("busy", answers.BUSY),
    ("robots", answers.ROBOTS),
    ("favicon", answers.FAVICON),
    ("unavailable", answers.unavailable(7)),
    ("redirect", answers.redirect(b"/x")),
    ("upgrade required", answers.upgrade_required(b"derp")),
    ("method not allowed", answers.method_not_allowed(frozenset((b"HEAD", b"GET")))),
    ("refusal", answers.refusal(Refused("bare-lf"))),
)


class AsBytes(TableCase):
    @table(*ALL)
    def test_h11_reads_it_as_it_was_meant(self, name: str, answer: OwnAnswer) -> None:
        for to_head in (False, True):
            visitor = h11.Connection(h11.CLIENT)
            visitor.send(h11.Request(method="HEAD" if to_head else "GET", target="/", headers=[("Host", "a")]))
            visitor.send(h11.EndOfMessage())
            visitor.receive_data(answer.as_bytes(to_head=to_head, close=True, hsts=True))
            head = visitor.next_event()
            assert isinstance(head, h11.Response)
            fields = dict(head.headers)
            self.assertEqual(head.status_code, answer.status)
            self.assertEqual(fields[b"content-length"], b"%d" % len(answer.body))
            self.assertIn(b"strict-transport-security", fields)
            body = b""
            while isinstance(event := visitor.next_event(), h11.Data):
                body += event.data
            self.assertEqual(body, b"" if to_head else answer.body)
            self.assertIs(visitor.their_state, h11.MUST_CLOSE)

    @table(*ALL)
    def test_no_word_about_what_we_are(self, name: str, answer: OwnAnswer) -> None:
        said = answer.as_bytes().lower()
        for word in (b"hsadmin", b"headscale", b"tailscale", b"twisted", b"server:", b"python"):
            self.assertNotIn(word, said)

    def test_a_stranger_s_not_found_is_empty(self) -> None:
        self.assertEqual(answers.NOT_FOUND.as_bytes(), b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def test_what_says_nothing_of_the_connection_keeps_it(self) -> None:
        self.assertNotIn(b"Connection", answers.ROBOTS.as_bytes())
        self.assertIn(b"Connection: close\r\n", answers.BODY_TOO_LARGE.as_bytes())

    def test_every_refusal_has_an_answer_that_closes(self) -> None:
        for rule in RULES:
            answer = answers.refusal(Refused(rule))
            self.assertTrue(answer.closes)
            self.assertTrue(answer.as_bytes().startswith(b"HTTP/1.1 %d " % RULES[rule].status))

    def test_fields_that_the_status_demands(self) -> None:
        self.assertEqual(dict(answers.method_not_allowed(frozenset((b"HEAD", b"GET"))).fields), {b"Allow": b"GET, HEAD"})
        self.assertEqual(dict(answers.upgrade_required(b"derp").fields), {b"Connection": b"Upgrade", b"Upgrade": b"derp"})
        self.assertEqual(dict(answers.unavailable(7).fields)[b"Retry-After"], b"7")
