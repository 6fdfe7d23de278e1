"""Spans, read and written."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.cli.duration import seconds, words


class Spans(SynchronousTestCase):
    def test_read(self) -> None:
        for text, expected in (("45s", 45), ("30m", 1800), ("24h", 86400), ("90d", 7776000), ("2w", 1209600), ("1h30m", 5400)):
            self.assertEqual(seconds(text), expected, text)

    def test_refused(self) -> None:
        for text in ("", "24", "h", "24 h", "-1h", "1.5h", "1y", "24H", "٣h", "1h\n"):
            with self.subTest(repr(text)):
                self.assertRaises(ValueError, seconds, text)

    def test_written(self) -> None:
        for span, expected in ((0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3 * 86400 + 4 * 3600 + 5, "3 d 4 h"), (86400, "1 d")):
            self.assertEqual(words(span), expected)
