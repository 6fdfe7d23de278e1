"""Names, values and lines are those that headscale's reader finds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.settings.document import compose, leaves

TEXT = """\
# head
Server_URL: https://x.example
log: {level: info, Format: json}
policy.mode: database
dns:
  nameservers:
    global: &ns [192.0.2.53, "1"]
    split:
      Corp.example: *ns
  empty:
  none: {}
plain: !!str 5
forced: ! 5
quoted: '5'
literal: |
  5
"""


class Leaves(SynchronousTestCase):
    def test_names_values_lines(self) -> None:
        found = leaves(compose(TEXT, "f"), "f", whole=frozenset({"dns.nameservers.split"}))
        self.assertEqual(
            {name: (leaf.value, leaf.line) for name, leaf in found.items()},
            {
                "server_url": ("https://x.example", 2),
                "log.level": ("info", 3),
                "log.format": ("json", 3),
                "policy.mode": ("database", 4),
                "dns.nameservers.global": (["192.0.2.53", "1"], 7),
                "dns.nameservers.split": ({"Corp.example": ["192.0.2.53", "1"]}, 8),
                "dns.empty": (None, 10),
                "dns.none": ({}, 11),
                "plain": ("5", 12),
                "forced": ("5", 13),
                "quoted": ("5", 14),
                "literal": ("5\n", 15),
            },
        )
        self.assertEqual(found["server_url"].written, "Server_URL")

    def test_without_a_whole_name_the_tree_goes_on(self) -> None:
        self.assertIn("dns.nameservers.split.corp.example", leaves(compose(TEXT, "f"), "f"))

    def test_nothing(self) -> None:
        for text in ("", "\n", "# only this\n", "---\n", "\ufeff", "\ufeff# x"):
            self.assertEqual(leaves(compose(text, "f"), "f"), {}, repr(text))
