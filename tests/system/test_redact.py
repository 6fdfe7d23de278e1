"""No key or registration id of headscale's survives, and what is left is enough to recognise it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hsadmin.system.redact import redact
from tests.tables import TableCase, table

TABLE = (
    ("a pre-auth key", "key hskey-auth-AbCdEfGhIjKl-0123456789abcdef_-X done", "key hskey-auth-AbCd… done"),
    ("an API key", "hskey-api-ZyXwVuTsRqPo-secretsecret", "hskey-api-ZyXw…"),
    ("a registration id in a path", "GET /register/hskey-authreq-abcdefghijkl?x=1", "GET /register/hskey-authreq-abcd…?x=1"),
    ("a registration key in JSON", '{"registration_key":"hskey-reg-abcdefghijkl"}', '{"registration_key":"hskey-reg-abcd…"}'),
    ("a kind of tomorrow", "hskey-oauth-abcdefghijkl", "hskey-oauth-abcd…"),
    ("two in a row", "hskey-auth-aaaaaaaaaaaa,hskey-reg-bbbbbbbbbbbb", "hskey-auth-aaaa…,hskey-reg-bbbb…"),
    ("one cut off early", "hskey-auth-abc", "hskey-auth-a…"),
    ("a private key", "privkey:00112233445566", "privkey:…"),
    ("short node keys stay", "node.key=[3VmOg] mkey:abc", "node.key=[3VmOg] mkey:abc"),
    ("other text stays", "listening and serving HTTP on: 127.0.0.1:8080", "listening and serving HTTP on: 127.0.0.1:8080"),
)


class RedactTests(TableCase):
    @table(*TABLE)
    def test_cut(self, name: str, text: str, expected: str) -> None:
        self.assertEqual(redact(text), expected)

    @table(*TABLE)
    def test_twice_changes_nothing(self, name: str, text: str, expected: str) -> None:
        self.assertEqual(redact(expected), expected)

    @given(st.text(), st.sampled_from(["auth", "api", "authreq", "reg"]), st.from_regex(r"[A-Za-z0-9_-]{12,80}", fullmatch=True), st.text())
    def test_no_secret_survives(self, before: str, kind: str, secret: str, after: str) -> None:
        self.assertNotIn(secret, redact(f"{before} hskey-{kind}-{secret} {after}".replace(secret, "", before.count(secret))))
