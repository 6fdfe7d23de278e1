"""headscale.yaml as headscale reads it: sections, nulls, bytes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import SettingsMalformed, SettingsProblem
from hsadmin.settings import decode, read


class Read(SynchronousTestCase):
    def test_a_section_must_be_one(self) -> None:
        for text, words in (
            ("derp: 5\n", "f, line 1: derp: 5 was found; keys belong below it"),
            ("dns:\n- x\n", "dns: a list was found"),
            ("node:\n  routes: ha\n", "line 2: node.routes: 'ha' was found"),
        ):
            with self.assertRaises(SettingsProblem) as caught:
                read(text, "f")
            self.assertIn(words, caught.exception.sentence)

    def test_an_empty_section_keeps_its_defaults(self) -> None:
        self.assertIs(read("dns:\nlog: {}\n", "f").effective("dns.magic_dns"), True)

    def test_bytes(self) -> None:
        self.assertEqual(decode(b"\xef\xbb\xbfa: \xc3\xbc\r\n", "f"), "\ufeffa: ü\r\n")
        with self.assertRaises(SettingsMalformed) as caught:
            decode(b"a: 1\nb: \xff\n", "f")
        self.assertIn("f, line 2: byte 0xff is not UTF-8", caught.exception.sentence)

    def test_what_stands_and_what_counts(self) -> None:
        reading = read("log:\n  level:\ntaildrop: {enabled: 'no'}\ndatabase: {sqlite: {wal_autocheckpoint: '5'}}\n", "f")
        self.assertEqual((reading.stands("log.level"), reading.found("log.level")), (False, "info"))
        self.assertEqual((reading.found("taildrop.enabled"), reading.effective("taildrop.enabled")), ("no", False))
        self.assertEqual(reading.effective("database.sqlite.wal_autocheckpoint"), 5)
        self.assertIsNone(reading.found("database.sqlite.path"))
        self.assertEqual((reading.place("log.level"), reading.place("log.format")), ("f, line 2", "f"))
