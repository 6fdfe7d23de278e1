"""Every way in which headscale ends has one sentence and one code; the words are those of the real 0.29.3."""

from __future__ import annotations

import signal

from hsadmin.engine.exits import QUOTED, Ending, explain
from hsadmin.engine.lines import Level, read
from tests.fakes.headscale_child import FATAL, Fatal
from tests.tables import TableCase, table

# fault, code, what the sentence must name
TABLE = (
    ("yaml", "engine.config-unreadable", "/w/headscale.yaml: While parsing config: yaml: line 18"),
    ("no-file", "engine.config-unreadable", "permission denied"),
    ("magic-dns", "engine.config-invalid", "dns.base_domain must be set"),
    ("removed-key", "engine.config-removed-key", "dns_config"),
    ("database-type", "engine.config-invalid", "mysql"),
    ("server-url", "engine.config-invalid", "server_url must start with"),
    ("database-newer", "engine.database-newer", "last used by headscale v0.31.0; this is v0.29.3"),
    ("database-too-old", "engine.database-too-old", "run the latest v0.27.x on it once"),
    ("schema", "engine.schema-altered", '(Remove table "mine")'),
    ("damaged", "engine.database-damaged", "restore it from a backup"),
    ("disk-full", "engine.disk-full", "no space left"),
    ("file-limit", "engine.file-too-large", "disk I/O error"),
    ("unwritable", "engine.database-unwritable", "owner and mode"),
    ("locked", "engine.database-locked", "Another program holds"),
    ("migration", "engine.database-failed", "no such column: x"),
    ("policy", "engine.policy-refused", "hujson: line 1, column 2: invalid literal: bad"),
    ("ambiguous", "engine.policy-ambiguous", "alice@"),
    ("policy-file", "engine.policy-refused", "open /w/policy.hujson"),
    ("oidc", "engine.oidc-unreachable", "oidc.issuer"),
    ("key", "engine.key-unusable", "Noise key file"),
    ("derp-empty", "engine.derp-map", "initial DERPMap is empty"),
    ("derp-url", "engine.derp-map", "connection refused"),
    ("port", "engine.port-busy", "TCP address 127.0.0.1:8080"),
    ("address", "engine.address-unusable", "203.0.113.9:8080 (tcp): cannot assign requested address"),
    ("stun", "engine.stun-busy", "UDP address 127.0.0.1:3478"),
    ("socket", "engine.socket-failed", "too long"),
    ("extra-records", "engine.extra-records", "/w/extra.json"),
    ("panic", "engine.panic", "nil pointer dereference"),
    ("memory", "engine.memory", "out of memory"),
    ("reserve", "engine.memory", "failed to reserve"),
    ("stack", "engine.stack", "1000000000-byte limit"),
    ("other", "engine.failed", "the moon is in the wrong house"),
)


def telling(fatal: Fatal) -> tuple[list[str], list[str]]:
    """Its fatal lines and its last ones, as a life keeps them."""
    lines = [read(text) for text in fatal.out.splitlines()] + [read(text, faults=True) for text in fatal.err.splitlines()]
    texts = [line.text for line in lines if line.text]
    return [line.text for line in lines if line.level >= Level.FATAL][:8], texts[-60:]


class ExplainTests(TableCase):
    @table(*TABLE)
    def test_catalogue(self, fault: str, code: str, names: str) -> None:
        explanation = explain(Ending(status=FATAL[fault].status), *telling(FATAL[fault]))
        self.assertEqual(explanation.code, code, explanation.sentence)
        self.assertIn(names, explanation.sentence)

    def test_every_fault_of_the_fake_has_its_row(self) -> None:
        self.assertEqual({name for name, _code, _names in TABLE}, set(FATAL))

    @table(*TABLE)
    def test_it_is_a_sentence(self, fault: str, code: str, names: str) -> None:
        sentence = explain(Ending(status=1), *telling(FATAL[fault])).sentence
        self.assertTrue(sentence.endswith(".") and not sentence.endswith(".."), sentence)
        self.assertTrue(sentence.isprintable(), sentence)
        self.assertNotIn("{", sentence)

    def test_signals(self) -> None:
        for number, names in (
            (signal.SIGKILL, "SIGKILL (by a person, or by the system because memory ran out)"),
            (signal.SIGTERM, "SIGTERM (while it was starting"),
            (signal.SIGSEGV, "killed by SIGSEGV."),
            (signal.SIGILL, "another processor"),
            (63, "killed by"),
        ):
            explanation = explain(Ending(signal=number), [], ["info whatever"])
            self.assertEqual(explanation.code, "engine.killed")
            self.assertIn(names, explanation.sentence)

    def test_an_end_in_order(self) -> None:
        self.assertIn("somebody sent it SIGTERM", explain(Ending(status=0), [], ["info Headscale stopped"]).sentence)

    def test_unknown_words_are_quoted_and_bounded(self) -> None:
        self.assertEqual(
            explain(Ending(status=7), [], ["info a", "warn strange"]).sentence,
            "headscale ended with exit status 7; its last words: warn strange.",
        )
        self.assertLess(len(explain(Ending(status=7), [], ["w" * 9000]).sentence), QUOTED + 100)
        self.assertLess(len(explain(Ending(status=1), ["Error: " + "w" * 9000], []).sentence), QUOTED + 100)

    def test_silence(self) -> None:
        self.assertEqual(explain(Ending(status=7), [], []).sentence, "headscale ended with exit status 7 and said nothing.")

    def test_braces_in_headscales_words(self) -> None:
        self.assertIn("{0} {words}", explain(Ending(status=1), ["Error: a {0} {words}"], []).sentence)

    def test_a_fatal_line_counts_more_than_what_follows_it(self) -> None:
        words = (
            "Error: headscale ran into an error and had to shut down: binding to TCP address: listen tcp A:1: bind: address already in use"
        )
        self.assertEqual(explain(Ending(status=1), [words], ["warn database is locked", words]).code, "engine.port-busy")
