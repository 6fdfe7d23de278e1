"""hsadmin's own keys are put back by name, with the reason; the relay's keys follow from the facts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.settings import OWNED, Comparison, compare, headscale_yaml, read
from hsadmin.settings.catalogue import BY_NAME
from hsadmin.settings.owned import after_a_trial, stun_only, wanted
from hsadmin.settings.scalars import Value
from tests.settings.samples import FACTS, TRIAL, edited

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

    def test_what_is_owned_is_what_the_facts_give(self) -> None:
        self.assertEqual(set(OWNED), set(wanted(FACTS)))
        for extra in (stun_only(FACTS), after_a_trial(FACTS)):
            self.assertTrue(set(extra) <= set(BY_NAME))
            self.assertFalse(set(extra) & set(OWNED))


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
