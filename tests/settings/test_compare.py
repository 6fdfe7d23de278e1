"""Everything that is not hsadmin's is adopted as edited, and no secret is repeated."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.settings import Comparison
from hsadmin.settings.scalars import Value
from tests.settings.samples import edited

ADOPTED: tuple[tuple[str, Value], ...] = (
    ("log.level", "debug"),
    ("log.level", "trace"),
    ("database.type", "sqlite3"),
    ("dns.base_domain", "corp.example.org"),
    ("dns.nameservers.global", ["192.0.2.53"]),
    ("dns.extra_records", [{"name": "a.tailnet.internal", "type": "A", "value": "100.64.0.3"}]),
    ("node.expiry", "180d"),
    ("node.routes.ha.probe_interval", "0s"),
    ("prefixes.v6", ""),
    ("prefixes.v4", "100.64.0.0/24"),
    ("taildrop.enabled", False),
    ("tuning.register_cache_max_entries", 2048),
    ("derp.server.stun_listen_addr", "192.0.2.7:3478"),
    ("derp.server.enabled", 1),
    ("grpc_listen_addr", "127.0.0.1:50443"),
    ("trusted_proxies", []),
    ("tls_cert_path", ""),
    ("disable_check_updates", False),
    ("oidc.client_id", "headscale"),
)


class Adopted(SynchronousTestCase):
    def test_every_other_valid_value(self) -> None:
        for name, value in ADOPTED:
            self.assertEqual(edited({name: value}), Comparison([], [], []), name)

    def test_no_secret_is_repeated(self) -> None:
        found = edited({"oidc.client_secret": ["hidden-word"]})
        self.assertEqual(len(found.warnings), 1)
        self.assertNotIn("hidden-word", found.warnings[0])

    def test_corrections_come_before_judgement(self) -> None:
        """A value that hsadmin puts right anyway is no reason not to start."""
        found = edited({"server_url": "https://net.tailnet.internal", "dns.base_domain": "tailnet.internal"})
        self.assertEqual(([correction.name for correction in found.corrections], found.problems), (["server_url"], []))
