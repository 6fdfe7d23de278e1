"""A configuration in lines: what a person checks before a start."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.config import Options, describe, parse, trial

FULL = """\
work_dir: /srv/hsadmin
server:
  public_url: https://tailnet.example.com
  extra_hosts: [other.example.com]
  listen: [tcp:443, tcp6:443]
  redirect_listen: tcp:80
  local_listen: tcp:9180:interface=127.0.0.1
  console_allow_from: [10.0.0.0/8, "fd00::/8"]
  public_signup: false
tls: {mode: files, cert: /etc/tls/c.pem, key: /etc/tls/k.pem}
headscale: {binary: /opt/headscale}
"""


class Describe(SynchronousTestCase):
    def test_a_full_one(self) -> None:
        self.assertEqual(
            describe(parse(FULL, Path("/etc/hsadmin/hsadmin.yaml"))),
            [
                "configuration: /etc/hsadmin/hsadmin.yaml",
                "work directory: /srv/hsadmin",
                "headscale: 0.29.3, supplied: /opt/headscale",
                "public address: https://tailnet.example.com, other.example.com",
                "listens on: 0.0.0.0:443, [::]:443, TLS with /etc/tls/c.pem",
                "redirects to https from: 0.0.0.0:80",
                "health and readiness: 127.0.0.1:9180",
                "/ shows: connect",
                "console from: 10.0.0.0/8, fd00::/8, the pages for joining as well",
                "log: info, json, standard output, access log on",
            ],
        )

    def test_a_trial_says_that_it_is_open(self) -> None:
        lines = describe(trial(Options(cwd=Path("/"))))
        self.assertIn("configuration: trial, no file", lines)
        self.assertIn("listens on: 127.0.0.1:8080, no TLS", lines)
        self.assertIn("console: open to everybody on this machine, sign-in is off", lines)

    def test_behind_proxies(self) -> None:
        text = "tls: {mode: off}\nserver: {public_url: https://t.example, trusted_proxies: 10.0.0.0/8}"
        lines = describe(parse(text, Path("/x.yaml")))
        self.assertIn("believes X-Forwarded-For from: 10.0.0.0/8", lines)
        self.assertIn("drops connections from anywhere else: TLS is off", lines)
