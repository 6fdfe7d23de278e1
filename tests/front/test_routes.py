"""The table itself: what is in it, what must never be, and what may travel."""

from __future__ import annotations

from hsadmin.front import routes
from hsadmin.front.allow import FORWARDING_FIELDS, FORWARDING_PREFIXES
from hsadmin.front.routes import CONSOLE_PATH, HEADSCALE, HEADSCALE_0_29, OWN, Route, Target
from tests.tables import TableCase, table

CONSOLE = (routes.CONNECT, routes.CONSOLE_ASSET, routes.CONSOLE_PUBLIC, routes.ADMIN)
ALL: tuple[Route, ...] = (*HEADSCALE_0_29, *OWN, *CONSOLE, routes.ADMIN_SLASH, routes.NOT_FOUND, routes.REFUSED)
HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"upgrade",
}
FRAMING = {b"host", b"content-length", b"transfer-encoding", b"expect"}


class Rows(TableCase):
    def test_no_two_rows_take_the_same_request(self) -> None:
        seen: set[object] = set()
        for route in (*HEADSCALE_0_29, *OWN):
            for method in route.methods:
                key = (route.path or route.pattern, method, route.upgrade)
                self.assertNotIn(key, seen)
                seen.add(key)

    def test_what_headscale_answers_in_0_29(self) -> None:
        patterns = {route.name: b"~" + route.pattern.pattern for route in HEADSCALE_0_29 if route.pattern}
        self.assertEqual(
            {(route.name, b"|".join(sorted(route.methods)), route.path or patterns[route.name]) for route in HEADSCALE["0.29"]},
            {
                ("ts2021", b"POST", b"/ts2021"),
                ("ts2021-websocket", b"GET", b"/ts2021"),
                ("derp", b"GET", b"/derp"),
                ("derp-websocket", b"GET", b"/derp"),
                ("derp-probe", b"GET|HEAD", b"/derp/probe"),
                ("derp-latency", b"GET|HEAD", b"/derp/latency-check"),
                ("bootstrap-dns", b"GET", b"/bootstrap-dns"),
                ("key", b"GET", b"/key"),
                ("ping-response", b"HEAD", b"/machine/ping-response"),
                ("register", b"GET", b"~/register/hskey-authreq-[A-Za-z0-9_-]{24}"),
                ("auth", b"GET", b"~/auth/hskey-authreq-[A-Za-z0-9_-]{24}"),
                ("register-confirm", b"POST", b"~/register/confirm/hskey-authreq-[A-Za-z0-9_-]{24}"),
                ("oidc-callback", b"GET", b"/oidc/callback"),
                ("apple", b"GET", b"/apple"),
                ("apple-profile", b"GET", b"/apple/ios"),
                ("apple-profile", b"GET", b"/apple/macos-app-store"),
                ("apple-profile", b"GET", b"/apple/macos-standalone"),
                ("windows", b"GET", b"/windows"),
            },
        )

    def test_no_field_travels_that_belongs_to_a_hop_or_to_a_proxy(self) -> None:
        for route in ALL:
            self.assertEqual(route.forward & (HOP_BY_HOP | FRAMING | FORWARDING_FIELDS), frozenset(), route.name)
            self.assertEqual(
                [name for name in route.forward if name.startswith(FORWARDING_PREFIXES) or name != name.lower()], [], route.name
            )

    def test_credentials_of_headscale_s_api_go_nowhere(self) -> None:
        self.assertEqual([route.name for route in ALL if b"authorization" in route.forward], [])

    def test_cookies_go_only_where_somebody_reads_them(self) -> None:
        self.assertEqual(
            {route.name for route in HEADSCALE_0_29 if b"cookie" in route.forward},
            {"register", "auth", "register-confirm", "oidc-callback"},
        )

    def test_only_forms_and_the_console_take_bodies(self) -> None:
        self.assertEqual({route.name: route.body_limit for route in HEADSCALE_0_29 if route.body_limit}, {"register-confirm": 4096})
        for route in ALL:
            self.assertFalse(route.upgrade and route.body_limit, route.name)

    def test_websockets_name_their_subprotocol(self) -> None:
        for route in ALL:
            self.assertEqual(bool(route.websocket_protocol), route.upgrade == b"websocket", route.name)

    def test_names_are_fit_for_counters(self) -> None:
        for route in ALL:
            self.assertRegex(route.name, r"\A[a-z0-9-]+\Z")

    def test_targets(self) -> None:
        self.assertEqual({route.target for route in HEADSCALE_0_29}, {Target.HEADSCALE})
        self.assertEqual({route.target for route in CONSOLE}, {Target.CONSOLE})


class ConsolePaths(TableCase):
    @table(
        ("root", b"/admin"),
        ("page", b"/admin/nodes"),
        ("api", b"/admin/api/nodes/12/routes"),
        ("asset", b"/admin/_app/immutable/chunks/C0x-_1.js"),
        ("dots within", b"/admin/a..b/.well"),
        ("three dots", b"/admin/..."),
        ("escaped at and space", b"/admin/api/users/alice%40example.com%20x"),
        ("escaped beyond ascii", b"/admin/%C3%A9"),
    )
    def test_taken(self, name: str, path: bytes) -> None:
        self.assertIsNotNone(CONSOLE_PATH.fullmatch(path))

    @table(
        ("another word", b"/administrator"),
        ("trailing slash", b"/admin/nodes/"),
        ("two slashes", b"/admin//nodes"),
        ("dot", b"/admin/./nodes"),
        ("dot last", b"/admin/."),
        ("two dots", b"/admin/../key"),
        ("two dots last", b"/admin/.."),
        ("escaped slash", b"/admin/a%2fb"),
        ("escaped slash in capitals", b"/admin/a%2Fb"),
        ("escaped dots", b"/admin/%2e%2E/key"),
        ("escaped backslash", b"/admin/a%5cb"),
        ("escaped nul", b"/admin/a%00"),
        ("escaped line end", b"/admin/a%0d%0a"),
        ("escaped delete", b"/admin/%7f"),
        ("half an escape", b"/admin/%4"),
        ("no escape", b"/admin/%zz"),
        ("not at the start", b"/x/admin"),
    )
    def test_not_taken(self, name: str, path: bytes) -> None:
        self.assertIsNone(CONSOLE_PATH.fullmatch(path))
