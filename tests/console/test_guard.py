"""The guard's rules, as tables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.console.endpoint import Guard
from hsadmin.console.guard import Rules, Visit, authority
from hsadmin.errors import BadRequest, Forbidden, Problem

HERE = "localhost:8080"
OWN = "http://localhost:8080"


def verdict(rules: Rules, **visit: str) -> type[Problem] | None:
    try:
        rules.check(Visit(**{"method": "GET", "host": HERE, **visit}))
    except Problem as problem:
        return type(problem)
    return None


class WithoutSignIn(SynchronousTestCase):
    rules = Rules(auth_disabled=True)

    def test_hosts(self) -> None:
        for host, expected in (
            ("localhost", None),
            ("localhost:8080", None),
            ("LocalHost:8080", None),
            ("127.0.0.1:8080", None),
            ("[::1]:8080", None),
            ("[::1]", None),
            ("127.0.0.2", Forbidden),
            ("localhost.evil.example", Forbidden),
            ("evil.example:8080", Forbidden),
            ("10.0.0.1", Forbidden),
            ("[::ffff:127.0.0.1]", Forbidden),
            ("0.0.0.0", Forbidden),
            ("", BadRequest),
            ("localhost:", BadRequest),
            ("localhost:8080:1", BadRequest),
            ("localhost..", BadRequest),
            ("local host", BadRequest),
            ("user@localhost", BadRequest),
            ("localhost/", BadRequest),
            ("::1", BadRequest),
            ("[::1", BadRequest),
        ):
            with self.subTest(host):
                self.assertIs(verdict(self.rules, host=host), expected)

    def test_visitors(self) -> None:
        for client, expected in (
            ("127.0.0.1", None),
            ("127.8.9.10", None),
            ("::1", None),
            ("", None),
            ("192.0.2.1", Forbidden),
            ("2001:db8::1", Forbidden),
            ("127.0.0.1, 192.0.2.1", Forbidden),
            ("unknown", Forbidden),
        ):
            with self.subTest(client):
                self.assertIs(verdict(self.rules, client=client), expected)

    def test_reading(self) -> None:
        for origin, site, expected in (
            ("", "", None),
            ("", "none", None),
            ("", "same-origin", None),
            ("", "same-site", None),
            ("", "cross-site", Forbidden),
            (OWN, "same-origin", None),
            (OWN, "cross-site", Forbidden),
            ("null", "", Forbidden),
            ("http://localhost:3000", "same-site", Forbidden),
            ("http://localhost", "", Forbidden),
            ("https://localhost:8080", "", Forbidden),
            ("http://127.0.0.1:8080", "", Forbidden),
            ("http://localhost:8080/", "", Forbidden),
            ("http://user@localhost:8080", "", Forbidden),
            ("localhost:8080", "", Forbidden),
            ("file://", "", Forbidden),
        ):
            with self.subTest(f"{origin} {site}"):
                self.assertIs(verdict(self.rules, origin=origin, fetch_site=site), expected)

    def test_changing(self) -> None:
        for origin, site, expected in (
            (OWN, "same-origin", None),
            (OWN, "", None),
            ("", "same-origin", None),
            ("", "none", None),
            (OWN, "none", None),
            ("", "", Forbidden),
            ("", "same-site", Forbidden),
            (OWN, "same-site", Forbidden),
            (OWN, "cross-site", Forbidden),
            ("", "something-new", Forbidden),
            ("http://localhost:3000", "same-origin", Forbidden),
        ):
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                with self.subTest(f"{method} {origin} {site}"):
                    self.assertIs(verdict(self.rules, method=method, origin=origin, fetch_site=site), expected)


class Origins(SynchronousTestCase):
    def test_a_default_port_may_be_left_out(self) -> None:
        for scheme, host, origin, expected in (
            ("https", "t.example", "https://t.example", None),
            ("https", "t.example:443", "https://t.example", None),
            ("https", "t.example", "https://t.example:443", None),
            ("https", "t.example", "http://t.example", Forbidden),
            ("https", "t.example:8443", "https://t.example", Forbidden),
            ("https", "t.example", "https://other.example", Forbidden),
            ("http", "t.example", "http://t.example:80", None),
        ):
            with self.subTest(f"{host} {origin}"):
                self.assertIs(verdict(Rules(auth_disabled=False, scheme=scheme), host=host, origin=origin), expected)


class Doors(SynchronousTestCase):
    def test_who_has_what(self) -> None:
        signed, trial, local = Rules(auth_disabled=False), Rules(auth_disabled=True), Rules(auth_disabled=False, local=True)
        for rules, guard, allowed in (
            (signed, Guard.PUBLIC, True),
            (signed, Guard.OPEN, False),
            (signed, Guard.LOCAL, False),
            (trial, Guard.PUBLIC, True),
            (trial, Guard.OPEN, True),
            (trial, Guard.LOCAL, False),
            (local, Guard.LOCAL, True),
            (local, Guard.OPEN, False),
            (local, Guard.PUBLIC, False),
        ):
            with self.subTest(f"{rules} {guard}"):
                if allowed:
                    rules.admit(guard)
                else:
                    self.assertRaises(Forbidden, rules.admit, guard)

    def test_with_sign_in_any_host_may_be_named(self) -> None:
        """The front knows our names, and has refused all others."""
        self.assertIsNone(verdict(Rules(auth_disabled=False), host="tailnet.example.com", client="192.0.2.1"))

    def test_the_local_door_asks_for_a_host_and_no_more(self) -> None:
        local = Rules(auth_disabled=False, local=True)
        self.assertIsNone(verdict(local, method="POST"))
        self.assertIs(verdict(local, host=""), BadRequest)


class Authority(SynchronousTestCase):
    def test_taken_apart(self) -> None:
        for text, expected in (("A.example", ("a.example", None)), ("a:1", ("a", 1)), ("[::1]:65535", ("[::1]", 65535))):
            self.assertEqual(authority(text), expected)
