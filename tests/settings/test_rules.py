"""What headscale would not start with, and what should worry; tests/live asks the real one about the same tables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.settings.scalars import Value
from tests.settings.samples import edited

FATAL: tuple[tuple[dict[str, Value], str, str], ...] = (
    # edits, key blamed, part of the sentence
    ({"randomize_client_port": False}, "randomize_client_port", "does not start with this key; it moved to the policy"),
    ({"oidc.expiry": "180d"}, "oidc.expiry", "write node.expiry"),
    ({"oidc.strip_email_domain": True}, "oidc.strip_email_domain", "does not start"),
    ({"oidc.map_legacy_users": True}, "oidc.map_legacy_users", "does not start"),
    ({"dns.use_username_in_magic_dns": False}, "dns.use_username_in_magic_dns", "does not start"),
    ({"dns_config.use_username_in_magic_dns": False}, "dns_config.use_username_in_magic_dns", "does not start"),
    ({"acl_policy_path": "/x"}, "acl_policy_path", "does not start"),
    ({"dns_config.extra_records": []}, "dns_config.extra_records", "write dns.extra_records"),
    ({"dns.extra_records": [], "dns.extra_records_path": "/x"}, "dns.extra_records", "even if one is empty"),
    ({"dns.base_domain": ""}, "dns.base_domain", "while dns.magic_dns is true"),
    ({"dns.base_domain": "tailnet.internal."}, "dns.base_domain", "without the dot at its end"),
    ({"dns.base_domain": "tailnet.example.com"}, "dns.base_domain", "the server itself is 'tailnet.example.com'"),
    ({"dns.base_domain": "Example.com"}, "dns.base_domain", "look for it inside the tailnet"),
    ({"dns.override_local_dns": True}, "dns.override_local_dns", "empty dns.nameservers.global"),
    ({"node.ephemeral.inactivity_timeout": "65s"}, "node.ephemeral.inactivity_timeout", "65s or less"),
    ({"node.ephemeral.inactivity_timeout": 1800}, "node.ephemeral.inactivity_timeout", "with its unit"),
    ({"node.routes.ha.probe_interval": "1900ms", "node.routes.ha.probe_timeout": "1s"}, "node.routes.ha.probe_interval", "less than 2s"),
    ({"node.routes.ha.probe_timeout": "500ms"}, "node.routes.ha.probe_timeout", "less than 1s"),
    ({"node.routes.ha.probe_timeout": "10s"}, "node.routes.ha.probe_timeout", "less than node.routes.ha.probe_interval"),
    ({"tuning.node_store_batch_size": 0}, "tuning.node_store_batch_size", "more than 0"),
    ({"tuning.node_store_batch_timeout": "soon"}, "tuning.node_store_batch_timeout", "more than 0"),
    ({"prefixes.v4": "", "prefixes.v6": ""}, "prefixes.v4", "prefixes.v4 or prefixes.v6"),
    ({"prefixes.v4": "100.64.0.0"}, "prefixes.v4", "'100.64.0.0' was found"),
    ({"prefixes.v6": "fd7a::/xx"}, "prefixes.v6", "unless it is a network"),
    ({"prefixes.allocation": "any"}, "prefixes.allocation", "'any' was found"),
    ({"derp.server.stun_listen_addr": ""}, "derp.server.stun_listen_addr", "an address for STUN"),
    ({"derp.server.automatically_add_embedded_derp_region": False}, "derp.server.automatically_add_embedded_derp_region", "derp.paths"),
    ({"derp.server.enabled": False}, "derp.server.enabled", "without any relay"),
    ({"derp.server.enabled": "yes"}, "derp.server.enabled", "without any relay"),
    ({"oidc.client_secret": "a", "oidc.client_secret_path": "/b"}, "oidc.client_secret", "keep the file"),
    ({"tls_letsencrypt_challenge_type": "DNS-01"}, "tls_letsencrypt_challenge_type", "HTTP-01 or TLS-ALPN-01"),
)

WORRYING: tuple[tuple[dict[str, Value], str, str], ...] = (
    ({"listen_adress": "x"}, "listen_adress", "is no key of headscale 0.29, which ignores it without a word; did you mean listen_addr?"),
    ({"derp.server.verify": True}, "derp.server.verify", "which ignores it"),
    ({"level": "info"}, "level", "did you mean log.level?"),
    ({"preauth_keys.revoked_retention": "168h"}, "preauth_keys.revoked_retention", "is no key of headscale 0.29"),
    (
        {"ephemeral_node_inactivity_timeout": "30m"},
        "ephemeral_node_inactivity_timeout",
        "ignores this key; write node.ephemeral.inactivity_timeout",
    ),
    ({"dns_config.base_domain": "x.example"}, "dns_config.base_domain", "ignores this key; write dns.base_domain"),
    ({"acl_policy_path": "/x", "policy.path": "/y"}, "acl_policy_path", "ignores this key"),
    ({"oidc.enabled": True}, "oidc.enabled", "is on when oidc.issuer is set"),
    ({"taildrop.enabled": "yes"}, "taildrop.enabled", '"yes" was found; headscale takes it as false; it should be true or false'),
    ({"node.expiry": "half a year"}, "node.expiry", 'headscale takes it as "0"'),
    ({"tuning.batch_change_delay": 800}, "tuning.batch_change_delay", "it should be a duration with its unit"),
    ({"derp.urls": ["https://maps.example/derp.json"]}, "derp.urls", "only while every one of these addresses answers"),
    ({"derp.paths": ["derp.yaml"]}, "derp.paths", "'derp.yaml' is not an absolute path"),
    ({"dns.extra_records_path": "x.json"}, "dns.extra_records_path", "not an absolute path"),
    ({"derp.server.region_id": 0}, "derp.server.region_id", "a positive number"),
    ({"prefixes.v4": "10.0.0.0/8"}, "prefixes.v4", "10.0.0.0/8 is not inside 100.64.0.0/10"),
    ({"prefixes.v6": "fd00::/48"}, "prefixes.v6", "is not inside fd7a:115c:a1e0::/48"),
    ({"oidc.issuer": "https://id.example"}, "oidc.only_start_if_oidc_is_available", "does not start while the provider does not answer"),
    ({"dns.nameservers.split": {"Corp.example": ["192.0.2.53"]}}, "dns.nameservers.split", "in lower case"),
)


class Rules(SynchronousTestCase):
    def test_what_headscale_would_not_start_with(self) -> None:
        for edits, key, words in FATAL:
            problems = edited(edits).problems
            self.assertEqual(len(problems), 1, f"{edits}: {problems}")
            self.assertRegex(problems[0], rf"^headscale\.yaml(, line \d+)?: {key}: ")
            self.assertIn(words, problems[0])

    def test_what_should_worry(self) -> None:
        for edits, key, words in WORRYING:
            found = edited(edits)
            self.assertEqual((len(found.warnings), found.problems), (1, []), f"{edits}: {found}")
            self.assertRegex(found.warnings[0], rf"^headscale\.yaml(, line \d+)?: {key}\b")
            self.assertIn(words, found.warnings[0])
