"""The first headscale.yaml: complete, free of the known traps, and content with itself."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.model.layout import Layout
from hsadmin.settings import OWNED, compare, derp_map, headscale_yaml, read
from hsadmin.settings.catalogue import BY_NAME, Shown
from tests.settings.samples import FACTS, TRIAL


class Rendered(SynchronousTestCase):
    def test_the_traps(self) -> None:
        text = headscale_yaml(FACTS)
        tree = yaml.safe_load(text)
        self.assertIn('\nunix_socket_permission: "0600"\n', text)
        self.assertEqual(tree["policy"], {"mode": "database"})
        self.assertEqual(tree["log"], {"level": "info", "format": "json"})
        self.assertEqual(tree["tuning"], {"register_cache_max_entries": 65536})
        self.assertEqual(tree["metrics_listen_addr"], "127.0.0.1:21002")
        self.assertEqual(tree["derp"]["urls"], [])
        self.assertEqual(tree["derp"]["paths"], [])
        self.assertEqual(tree["derp"]["server"]["enabled"], True)
        self.assertEqual(tree["derp"]["server"]["region_id"], 999)
        self.assertEqual(tree["derp"]["server"]["stun_listen_addr"], "0.0.0.0:3478")
        self.assertEqual((tree["dns"]["magic_dns"], tree["dns"]["base_domain"]), (True, "tailnet.internal"))
        self.assertEqual((tree["logtail"], tree["taildrop"]), ({"enabled": False}, {"enabled": True}))
        self.assertIs(tree["disable_check_updates"], True)
        self.assertEqual(tree["database"]["sqlite"]["path"], "/var/lib/hsadmin/headscale/db.sqlite")
        for absent in ("trusted_proxies", "oidc", "grpc_listen_addr", "tls_cert_path", "acme_url", "cli"):
            self.assertNotIn(absent, tree)
        for absent in ("extra_records", "extra_records_path"):
            self.assertNotIn(absent, tree["dns"])

    def test_every_path_is_absolute(self) -> None:
        for name, leaf in read(headscale_yaml(FACTS), "f").leaves.items():
            if name.endswith("path") or name == "unix_socket":
                self.assertTrue(str(leaf.value).startswith("/var/lib/hsadmin/"), name)

    def test_it_is_content_with_itself(self) -> None:
        for facts in (FACTS, TRIAL, replace(FACTS, base_domain="net.example.org", layout=Layout(Path("/srv/a b/ü: #")))):
            found = compare(read(headscale_yaml(facts), "f"), facts)
            self.assertEqual((found.corrections, found.warnings, found.problems), ([], [], []))

    def test_what_is_commented_out_is_the_default_of_headscale(self) -> None:
        text = headscale_yaml(FACTS)
        every = re.sub(r"^( *)#(?=[a-z0-9_]+:)", r"\1", text, flags=re.MULTILINE)
        before, after = read(text, "f"), read(every, "f")
        for name, setting in BY_NAME.items():
            self.assertEqual(name in after.leaves, setting.shown is not Shown.HIDDEN, name)
            self.assertEqual(before.effective(name), after.effective(name), name)

    def test_the_owner_of_each_key_is_told(self) -> None:
        text = headscale_yaml(FACTS)
        for name in OWNED:
            if BY_NAME[name].shown is Shown.SET:
                self.assertIn(f"# {BY_NAME[name].help} (hsadmin's)\n", text)

    def test_the_trial_has_a_map_of_its_own(self) -> None:
        server = yaml.safe_load(headscale_yaml(TRIAL))["derp"]
        self.assertEqual(server["paths"], ["/var/lib/hsadmin/headscale/derp.yaml"])
        self.assertEqual(server["server"]["stun_listen_addr"], "127.0.0.1:21003")
        self.assertIs(server["server"]["automatically_add_embedded_derp_region"], False)
        node = {
            "name": "999a",
            "regionid": 999,
            "hostname": "127.0.0.1",
            "ipv4": "127.0.0.1",
            "ipv6": "none",
            "stunport": 21003,
            "stunonly": True,
        }
        region = {"regionid": 999, "regioncode": "direct", "regionname": "direct connections only", "nodes": [node]}
        self.assertEqual(yaml.safe_load(derp_map(TRIAL)), {"regions": {999: region}})
