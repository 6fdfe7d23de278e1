"""What can be asked of a Config."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.config import parse
from tests.config.refusing import FILE, GOOD
from tests.config.test_rules import BEHIND


class Shape(SynchronousTestCase):
    def test_behind_proxies_peers_from_elsewhere_are_dropped(self) -> None:
        self.assertTrue(parse(BEHIND, FILE).drops_untrusted)
        self.assertFalse(parse(GOOD, FILE).drops_untrusted)
        self.assertFalse(parse(f"{BEHIND}  listen: tcp:8080:interface=127.0.0.1\n", FILE).drops_untrusted)
        self.assertFalse(parse(f"{BEHIND.replace('  trusted_proxies: 10.0.0.0/8', '  listen: unix:/run/x.sock')}", FILE).drops_untrusted)

    def test_nothing_can_be_changed_afterwards(self) -> None:
        config: Any = parse(GOOD, FILE)
        with self.assertRaises(FrozenInstanceError):
            config.trial = True

    def test_every_name_that_visitors_may_ask_for(self) -> None:
        config = parse(f"{GOOD}  extra_hosts: [other.example, 192.0.2.1]\n", FILE)
        self.assertEqual(config.server.hosts, {"tailnet.example.com", "other.example", "192.0.2.1"})
