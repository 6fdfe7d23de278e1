"""Owned keys are put back by name, everything else is adopted, and what headscale would choke on is said before it does."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import SettingsMalformed, SettingsProblem
from hsadmin.settings import OWNED, Comparison, compare, decode, headscale_yaml, put, read
from hsadmin.settings.owned import wanted
from hsadmin.settings.scalars import Value
from tests.settings.test_render import FACTS, TRIAL

FOREIGN: tuple[tuple[str, Value, str], ...] = (
    # owned key, what somebody wrote, part of the sentence
    ("server_url", "https://other.example", '"https://other.example" was found and "https://tailnet.example.com" was put back'),
    ("listen_addr", "0.0.0.0:8080", "hsadmin chose this port"),
    ("metrics_listen_addr", "", '"" was found'),
    ("unix_socket", "/var/run/headscale/headscale.sock", "hsadmin speaks to headscale here"),
    ("unix_socket_permission", "0770", "only hsadmin's own user"),
    ("unix_socket_permission", 600, '600 was found and "0600" was put back'),
    ("grpc_allow_insecure", True, "true was found and false was put back, because headscale's API must not be reachable in the clear"),
    ("trusted_proxies", ["127.0.0.1/32"], '["127.0.0.1/32"] was found and [] was put back'),
    ("noise.private_key_path", "noise.key", "hsadmin keeps, backs up and restores this file"),
    ("derp.server.private_key_path", "/x", "hsadmin keeps"),
    ("database.type", "postgres", "postgres was found and sqlite was put back"),
    ("database.sqlite.path", "db.sqlite", "db.sqlite was found"),
    ("tls_letsencrypt_hostname", "x.example", "TLS is the front's task"),
    ("tls_cert_path", "/x", 'was found and "" was put back'),
    ("tls_key_path", "/x", "TLS is the front's task"),
    ("log.level", "warn", "warn was found and info was put back, because hsadmin reads headscale's info lines"),
    ("log.level", "loud", "loud was found"),
    ("log.format", "text", "text was found and json was put back"),
    ("policy.mode", "file", "which a policy file shuts"),
)

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
    ("oidc.client_secret_path", "/etc/secret"),
)

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


def edited(edits: dict[str, Value]) -> Comparison:
    text = headscale_yaml(FACTS)
    for name, value in edits.items():
        text = put(text, name, value, file="headscale.yaml")
    return compare(read(text, "headscale.yaml"), FACTS)


class Owned(SynchronousTestCase):
    def test_a_foreign_value_is_put_back_by_name(self) -> None:
        for name, value, words in FOREIGN:
            found = edited({name: value})
            self.assertEqual(
                [(correction.name, correction.value) for correction in found.corrections], [(name, wanted(FACTS)[name].value)], name
            )
            sentence = found.corrections[0].sentence
            self.assertRegex(sentence, rf"^headscale\.yaml, line \d+: {name}: ")
            self.assertIn(words, sentence)
            self.assertEqual((found.problems, found.warnings), ([], []), name)

    def test_every_owned_key_was_tried(self) -> None:
        self.assertEqual({name for name, _, _ in FOREIGN}, set(OWNED))

    def test_an_empty_file_gets_what_headscale_has_no_good_default_for(self) -> None:
        found = compare(read("", "f"), FACTS)
        self.assertEqual(
            {correction.name for correction in found.corrections},
            set(OWNED)
            - {"grpc_allow_insecure", "trusted_proxies", "tls_letsencrypt_hostname", "tls_cert_path", "tls_key_path", "log.level"},
        )
        self.assertIn("f: listen_addr was missing and", next(c.sentence for c in found.corrections if c.name == "listen_addr"))

    def test_null_counts_as_missing(self) -> None:
        found = compare(read(headscale_yaml(FACTS).replace('listen_addr: "127.0.0.1:21001"', "listen_addr:"), "f"), FACTS)
        self.assertEqual([correction.name for correction in found.corrections], ["listen_addr"])


class Adopted(SynchronousTestCase):
    def test_every_other_valid_value(self) -> None:
        for name, value in ADOPTED:
            self.assertEqual(edited({name: value}), Comparison([], [], []), name)

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

    def test_no_secret_is_repeated(self) -> None:
        found = edited({"oidc.client_secret": ["hidden-word"]})
        self.assertEqual(len(found.warnings), 1)
        self.assertNotIn("hidden-word", found.warnings[0])


class Relay(SynchronousTestCase):
    def test_a_trial_owns_its_map(self) -> None:
        found = compare(read(headscale_yaml(FACTS), "f"), TRIAL)
        self.assertEqual(
            {correction.name for correction in found.corrections},
            {"server_url", "derp.server.stun_listen_addr", "derp.server.automatically_add_embedded_derp_region", "derp.paths"},
        )
        self.assertEqual(found.problems, [])

    def test_with_tls_the_trial_s_map_goes(self) -> None:
        found = compare(read(headscale_yaml(TRIAL), "f"), FACTS)
        self.assertEqual(
            {correction.name: correction.value for correction in found.corrections},
            {
                "server_url": "https://tailnet.example.com",
                "derp.server.stun_listen_addr": "0.0.0.0:3478",
                "derp.server.automatically_add_embedded_derp_region": True,
                "derp.paths": [],
            },
        )

    def test_an_operator_s_own_map_stays(self) -> None:
        self.assertEqual(edited({"derp.paths": ["/etc/derp.yaml"], "derp.server.enabled": False}), Comparison([], [], []))


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
