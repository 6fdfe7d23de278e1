"""Every form in which headscale says something."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hsadmin.engine.lines import Level, ends_start, read
from tests.tables import TableCase, table

TABLE = (
    ("info", '{"level":"info","time":1,"message":"starting headscale","version":"v0.29.3"}', Level.INFO, "starting headscale"),
    ("error", '{"level":"error","error":"boom","message":"reloading policy"}', Level.ERROR, "reloading policy"),
    ("fatal with line ends", '{"level":"fatal","message":"\\nFATAL: The \\"a\\" key\\n"}', Level.FATAL, 'FATAL: The "a" key'),
    ("no level", '{"message":"x"}', Level.INFO, "x"),
    ("an unknown level", '{"level":"loud","message":"x"}', Level.INFO, "x"),
    ("no message", '{"level":"warn"}', Level.WARN, ""),
    ("not an object", "[1,2]", Level.INFO, "[1,2]"),
    ("broken JSON", '{"level":"info","mess', Level.INFO, '{"level":"info","mess'),
    ("too deep JSON", '{"a":' * 5000 + "1" + "}" * 5000, Level.INFO, '{"a":' * 5000 + "1" + "}" * 5000),
    ("console form", "2026-11-23T18:52:27Z WRN something odd", Level.WARN, "something odd"),
    ("console form with file", '2026-11-23T18:52:27Z FTL ../cli/root.go:49 > bad file P error="no: \\"x\\""', Level.FATAL, "bad file P"),
    ("console form in colour", "\x1b[90m2026-11-23T18:52:27Z\x1b[0m \x1b[32mINF\x1b[0m hello", Level.INFO, "hello"),
    ("an error of cobra's", "Error: initializing: x", Level.FATAL, "Error: initializing: x"),
    ("a panic", "panic: runtime error: index out of range", Level.PANIC, "panic: runtime error: index out of range"),
    ("out of memory", "fatal error: runtime: out of memory", Level.PANIC, "fatal error: runtime: out of memory"),
    ("schema", "SQLite schema failed to validate:", Level.FATAL, "SQLite schema failed to validate:"),
    ("text", "An updated version of Headscale has been found", Level.INFO, "An updated version of Headscale has been found"),
    ("terminal orders", "a\x1b]0;title\x07b\x00", Level.INFO, "a\\x1b]0;title\\x07b\\x00"),
)


class ReadTests(TableCase):
    @table(*TABLE)
    def test_form(self, name: str, text: str, level: Level, message: str) -> None:
        line = read(text)
        self.assertEqual((line.level, line.message), (level, message))

    def test_plain_text_on_stderr_is_a_warning(self) -> None:
        self.assertEqual(read("hm", faults=True).level, Level.WARN)
        self.assertEqual(read('{"level":"info","message":"hm"}', faults=True).level, Level.INFO)

    def test_fields_are_kept_as_they_are(self) -> None:
        line = read('{"level":"info","node.id":3,"id":"hskey-authreq-abcdefgh","time":5,"message":"m"}')
        self.assertEqual(line.fields, {"node.id": 3, "id": "hskey-authreq-abcdefgh", "time": 5})
        self.assertEqual(line.text, "info m node.id=3 id=hskey-authreq-abcdefgh")

    def test_the_error_of_a_console_line(self) -> None:
        self.assertEqual(read('2026-11-23T18:52:27Z FTL bad error="no: \\"x\\""').fields, {"error": 'no: "x"'})
        self.assertEqual(read("2026-11-23T18:52:27Z FTL bad error=plain").fields, {"error": "plain"})

    def test_the_last_line_of_a_start(self) -> None:
        for text, expected in (
            ('{"level":"info","message":"listening and serving debug and metrics on: 127.0.0.1:9090"}', True),
            ('{"level":"info","message":"metrics server disabled (metrics_listen_addr is empty)"}', True),
            ("2026-11-23T18:52:27Z INF metrics server disabled (metrics_listen_addr is empty)", True),
            ('{"level":"info","message":"listening and serving HTTP on: 127.0.0.1:8080"}', False),
            ('{"level":"info","message":"http request","path":"/metrics server disabled"}', False),
        ):
            self.assertIs(ends_start(read(text)), expected, text)

    @given(st.text(), st.booleans())
    def test_anything_is_a_line_of_printable_text(self, text: str, faults: bool) -> None:
        line = read(text, faults=faults)
        self.assertTrue(line.text.isprintable())
        self.assertTrue(line.message.isprintable())

    @given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.booleans())))
    def test_any_object_is_a_line_of_printable_text(self, fields: dict[str, object]) -> None:
        self.assertTrue(read(json.dumps(fields)).text.isprintable())
