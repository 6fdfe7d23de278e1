"""Who gets what: every route by method and upgrade, every door that must be shut, and who counts as the client."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given, settings
from hypothesis import strategies as st

from hsadmin.front.allow import Allow, Console, Decision
from hsadmin.front.head import RequestHead, parse_request
from hsadmin.front.routes import Target
from tests.tables import TableCase, table

CLIENT = ip_address("203.0.113.9")
OFFICE = ip_network("198.51.100.0/24")
IN_OFFICE = ip_address("198.51.100.7")
HOSTS = frozenset((b"hs.example", b"other.example"))
ORIGIN = b"https://hs.example"
ID = b"hskey-authreq-abcdefghijklmnopqrstuv_-"
CONTROL = b"Connection: upgrade\r\nUpgrade: tailscale-control-protocol\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
CONTROL_WEBSOCKET = WEBSOCKET + b"Sec-WebSocket-Protocol: tailscale-control-protocol\r\n"


def request(method: bytes, target: bytes, fields: bytes = b"", host: bytes = b"hs.example") -> RequestHead:
    head = parse_request(b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method, target, host, fields))
    assert head is not None
    return head


def public(root: str = "connect", **console: object) -> Allow:
    return Allow(hosts=HOSTS, root=root, console=Console(**console), own_origin=ORIGIN)  # type: ignore[arg-type]


def trial() -> Allow:
    return Allow(hosts=frozenset(), console=Console(open=True, loopback_only=True), own_origin=b"http://127.0.0.1:8080")


class Decided(TableCase):
    def decided(self, allow: Allow, head: RequestHead, client: object = CLIENT) -> Decision:
        return allow.decide(head, client)  # type: ignore[arg-type]

    def assertStatus(self, decision: Decision, status: int) -> None:
        assert decision.answer is not None, f"{decision.route.name} goes upstream"
        self.assertEqual(decision.answer.status, status)

    def assertShut(self, decision: Decision) -> None:
        self.assertStatus(decision, 404)
        self.assertEqual((decision.route.name, decision.answer), ("not-found", (404, (), b"", False)))


class Headscale(Decided):
    @table(
        ("ts2021", b"POST /ts2021", CONTROL + b"Content-Length: 0\r\n", "ts2021", True),
        (
            "ts2021 websocket",
            b"GET /ts2021?X-Tailscale-Handshake=a",
            CONTROL_WEBSOCKET,
            "ts2021-websocket",
            True,
        ),
        ("derp", b"GET /derp", b"Connection: Upgrade\r\nUpgrade: DERP\r\n", "derp", True),
        ("derp websocket", b"GET /derp", WEBSOCKET + b"Sec-WebSocket-Protocol: derp\r\n", "derp-websocket", True),
        ("derp probe", b"GET /derp/probe", b"", "derp-probe", False),
        ("derp probe by head", b"HEAD /derp/probe", b"", "derp-probe", False),
        ("latency check", b"HEAD /derp/latency-check", b"", "derp-latency", False),
        ("key", b"GET /key?v=138", b"", "key", False),
        ("key with an upgrade to ignore", b"GET /key", b"Connection: upgrade\r\nUpgrade: h2c\r\n", "key", False),
        ("ping", b"HEAD /machine/ping-response?id=1", b"", "ping-response", False),
        ("register", b"GET /register/" + ID, b"", "register", False),
        ("auth", b"GET /auth/" + ID, b"", "auth", False),
        ("oidc", b"GET /oidc/callback?code=a&state=b", b"", "oidc-callback", False),
        ("confirm", b"POST /register/confirm/" + ID, b"Content-Length: 4096\r\n", "register-confirm", False),
        ("confirm by chunks", b"POST /register/confirm/" + ID, b"Transfer-Encoding: chunked\r\n", "register-confirm", False),
        ("apple", b"GET /apple", b"", "apple", False),
        ("ios", b"GET /apple/ios", b"", "apple-profile", False),
        ("app store", b"GET /apple/macos-app-store", b"", "apple-profile", False),
        ("standalone", b"GET /apple/macos-standalone", b"", "apple-profile", False),
        ("windows", b"GET /windows", b"", "windows", False),
        ("bootstrap dns", b"GET /bootstrap-dns?q=x", b"", "bootstrap-dns", False),
    )
    def test_goes_to_headscale(self, name: str, line: bytes, fields: bytes, route: str, upgrade: bool) -> None:
        method, target = line.split(b" ")
        decision = self.decided(public(), request(method, target, fields))
        self.assertIsNone(decision.answer)
        self.assertEqual((decision.route.name, decision.route.target), (route, Target.HEADSCALE))
        self.assertEqual((decision.upgrade, decision.swallow_101, decision.upstream_path), (upgrade, False, target))

    def test_bootstrap_dns_is_rate_limited(self) -> None:
        self.assertEqual(self.decided(public(), request(b"GET", b"/bootstrap-dns")).route.rate, "bootstrap-dns")

    @table(("one", b"1", True), ("two", b"2", False), ("list", b"1, 1", False), ("empty", b"", False))
    def test_a_fast_start_swallows_the_101(self, name: str, value: bytes, swallowed: bool) -> None:
        fields = b"Connection: Upgrade\r\nUpgrade: DERP\r\nDerp-Fast-Start: " + value + b"\r\n"
        self.assertIs(self.decided(public(), request(b"GET", b"/derp", fields)).swallow_101, swallowed)

    @table(
        ("ts2021 without upgrade", b"POST", b"/ts2021", b"", b"tailscale-control-protocol"),
        ("ts2021 with another upgrade", b"POST", b"/ts2021", WEBSOCKET, b"tailscale-control-protocol"),
        (
            "ts2021 with upgrade but no connection",
            b"POST",
            b"/ts2021",
            b"Upgrade: tailscale-control-protocol\r\n",
            b"tailscale-control-protocol",
        ),
        ("ts2021 by get", b"GET", b"/ts2021", CONTROL, b"websocket"),
        ("derp without upgrade", b"GET", b"/derp", b"", b"derp"),
        ("derp with a fast start but no upgrade", b"GET", b"/derp", b"Derp-Fast-Start: 1\r\n", b"derp"),
    )
    def test_what_must_be_upgraded(self, name: str, method: bytes, target: bytes, fields: bytes, protocol: bytes) -> None:
        decision = self.decided(public(), request(method, target, fields))
        self.assertStatus(decision, 426)
        assert decision.answer is not None
        self.assertIn((b"Upgrade", protocol), decision.answer.fields)

    @table(
        ("no subprotocol", b"/derp", b""),
        ("another", b"/derp", b"Sec-WebSocket-Protocol: tailscale-control-protocol\r\n"),
        ("two", b"/derp", b"Sec-WebSocket-Protocol: derp, x\r\n"),
        ("two fields", b"/derp", b"Sec-WebSocket-Protocol: derp\r\nSec-WebSocket-Protocol: derp\r\n"),
        ("none for ts2021", b"/ts2021", b""),
        ("another for ts2021", b"/ts2021", b"Sec-WebSocket-Protocol: derp\r\n"),
    )
    def test_a_websocket_asks_for_its_subprotocol(self, name: str, target: bytes, fields: bytes) -> None:
        self.assertStatus(self.decided(public(), request(b"GET", target, WEBSOCKET + fields)), 400)

    @table(
        ("too long", b"POST", b"/register/confirm/" + ID, b"Content-Length: 4097\r\n"),
        ("body where none is taken", b"GET", b"/key", b"Content-Length: 1\r\n"),
        ("chunks where none are taken", b"GET", b"/key", b"Transfer-Encoding: chunked\r\n"),
    )
    def test_bodies_have_limits(self, name: str, method: bytes, target: bytes, fields: bytes) -> None:
        decision = self.decided(public(), request(method, target, fields))
        self.assertStatus(decision, 413)
        assert decision.answer is not None
        self.assertTrue(decision.answer.closes)


SHUT = b"""
/api /api/v1 /api/v1/node /api/v2 /swagger /swagger/v1/openapiv2.json /metrics /debug /debug/pprof/ /verify /health /version /generate_204
/healthz /readyz /noise /index.html /.well-known/x /robots.txt/
/key/ //key /%6bey /KEY /key%20 /key;a /key. /./key /../key /derp/ /derp/../health /derp/..%2fhealth /derp/probe/ /ts2021/ /ts2021%3f
/machine /machine/map /machine/register /machine/ping-response/ /register /register/ /register/x /register/confirm /register/confirm/
/auth /auth/x /oidc /oidc/callback/ /apple/ /apple/x /windows/ /bootstrap-dns/ /%2e%2e/health /admin%2fapi
""".split()
WRONG_IDS = (
    ID[:-1],
    ID + b"a",
    ID + b"/",
    ID[:-1] + b"%41",
    ID[:-1] + b"~",
    b"hskey-api-" + ID[14:],
    ID.upper(),
    b"confirm",
    b"../" + ID,
)


class Shut(Decided):
    @table(*((path.decode(), path) for path in dict.fromkeys(SHUT)))
    def test_path(self, name: str, path: bytes) -> None:
        for method in (b"GET", b"HEAD", b"POST", b"OPTIONS"):
            for allow in (public(), public(open=True)):
                self.assertShut(self.decided(allow, request(method, path)))

    def test_ids_that_are_none(self) -> None:
        for wrong in WRONG_IDS:
            for prefix in (b"/register/", b"/auth/"):
                self.assertShut(self.decided(public(), request(b"GET", prefix + wrong)))
            self.assertShut(self.decided(public(), request(b"POST", b"/register/confirm/" + wrong)))

    @table(
        ("head of key", b"HEAD", b"/key"),
        ("post of key", b"POST", b"/key"),
        ("get of ping", b"GET", b"/machine/ping-response"),
        ("put of ts2021", b"PUT", b"/ts2021"),
        ("post of derp", b"POST", b"/derp"),
        ("post of bootstrap", b"POST", b"/bootstrap-dns"),
        ("get of confirm", b"GET", b"/register/confirm/" + ID),
        ("post of register", b"POST", b"/register/" + ID),
        ("options", b"OPTIONS", b"/key"),
        ("trace", b"TRACE", b"/key"),
    )
    def test_a_method_that_the_table_lacks_is_a_path_that_it_lacks(self, name: str, method: bytes, target: bytes) -> None:
        self.assertShut(self.decided(public(), request(method, target)))

    @table(
        ("another name", b"evil.example"),
        ("an address", b"203.0.113.1"),
        ("localhost", b"localhost"),
        ("a name below", b"x.hs.example"),
        ("a trailing dot", b"hs.example."),
    )
    def test_a_host_that_is_not_ours(self, name: str, host: bytes) -> None:
        for target in (b"/key", b"/admin", b"/robots.txt", b"/nothing"):
            decision = self.decided(public(open=True), request(b"GET", target, host=host))
            self.assertStatus(decision, 421)
            self.assertEqual((decision.route.name, decision.answer and decision.answer.body), ("refused", b""))

    @table(("capitals", b"HS.Example"), ("port", b"hs.example:8443"), ("extra host", b"other.example"))
    def test_a_host_that_is_ours(self, name: str, host: bytes) -> None:
        self.assertEqual(self.decided(public(), request(b"GET", b"/key", host=host)).route.name, "key")


class Own(Decided):
    @table(("robots", b"/robots.txt"), ("icon", b"/favicon.ico"))
    def test_files(self, name: str, path: bytes) -> None:
        for method in (b"GET", b"HEAD"):
            self.assertStatus(self.decided(public(), request(method, path)), 200)
        decision = self.decided(public(), request(b"POST", path))
        self.assertStatus(decision, 405)
        assert decision.answer is not None
        self.assertEqual(decision.answer.fields, ((b"Allow", b"GET, HEAD"),))

    @table(
        ("connect", "connect", 302, b"/admin/connect"),
        ("url", "https://example.com/x", 302, b"https://example.com/x"),
        ("not found", "not_found", 404, None),
    )
    def test_root(self, name: str, root: str, status: int, location: bytes | None) -> None:
        decision = self.decided(public(root), request(b"GET", b"/?x=y"))
        self.assertStatus(decision, status)
        assert decision.answer is not None
        self.assertEqual(dict(decision.answer.fields).get(b"Location"), location)

    def test_root_leads_nobody_to_a_page_that_is_shut_to_them(self) -> None:
        allow = public(public_signup=False, from_networks=(OFFICE,))
        self.assertStatus(self.decided(allow, request(b"GET", b"/")), 404)
        self.assertStatus(self.decided(allow, request(b"GET", b"/"), IN_OFFICE), 302)


PUBLIC = (
    ("sign-up", b"/admin/connect", "connect"),
    ("asset", b"/admin/_app/immutable/entry/start.js", "admin-asset"),
    ("theme", b"/admin/theme.js", "admin-asset"),
    ("icon", b"/admin/favicon.svg", "admin-asset"),
    ("public api", b"/admin/api/public/server", "admin-public"),
)
PRIVATE_PATHS = b"""
/admin /admin/ /admin/nodes /admin/api/status /admin/api /admin/api/public
/admin/_app/version.json /admin/connect2 /admin/_app/immutable /admin/theme.js.map
""".split()
PRIVATE = tuple((path.decode(), path) for path in PRIVATE_PATHS)


class ConsoleDoors(Decided):
    @table(*PUBLIC)
    def test_public_even_where_the_console_is_shut(self, name: str, path: bytes, route: str) -> None:
        for allow in (public(), public(from_networks=(OFFICE,)), public(open=True, from_networks=(OFFICE,))):
            decision = self.decided(allow, request(b"GET", path + b"?a=b"))
            self.assertEqual((decision.answer, decision.route.name, decision.upstream_path), (None, route, path + b"?a=b"))

    @table(*PRIVATE)
    def test_nothing_else_answers_until_there_is_a_sign_in(self, name: str, path: bytes) -> None:
        for method in (b"GET", b"POST", b"TRACE"):
            self.assertShut(self.decided(public(), request(method, path), IN_OFFICE))

    @table(*PRIVATE)
    def test_open_but_for_some_addresses(self, name: str, path: bytes) -> None:
        allow = public(open=True, from_networks=(OFFICE,))
        self.assertShut(self.decided(allow, request(b"GET", path)))
        self.assertNotEqual(self.decided(allow, request(b"GET", path), IN_OFFICE).route.name, "not-found")

    def test_sign_up_follows_the_addresses_when_it_is_not_public(self) -> None:
        allow = public(public_signup=False, from_networks=(OFFICE,))
        self.assertShut(self.decided(allow, request(b"GET", b"/admin/connect")))
        self.assertIsNone(self.decided(allow, request(b"GET", b"/admin/connect"), IN_OFFICE).answer)

    def test_a_slash_too_many_is_sent_home(self) -> None:
        decision = self.decided(public(open=True), request(b"GET", b"/admin/"))
        self.assertStatus(decision, 308)

    @table(
        ("trace", b"TRACE", b"/admin"),
        ("options", b"OPTIONS", b"/admin/api/x"),
        ("put of public", b"PUT", b"/admin/api/public/x"),
        ("post of page", b"POST", b"/admin/connect"),
    )
    def test_methods(self, name: str, method: bytes, path: bytes) -> None:
        self.assertStatus(self.decided(public(open=True), request(method, path)), 405)

    @table(
        ("twice", b"/admin//api"),
        ("up", b"/admin/../key"),
        ("escaped", b"/admin/%2e%2e/key"),
        ("slash", b"/admin/nodes/"),
        ("name", b"/administrator"),
    )
    def test_paths_that_are_none(self, name: str, path: bytes) -> None:
        self.assertShut(self.decided(public(open=True), request(b"GET", path)))

    def test_bodies(self) -> None:
        limit = 8 * 1024 * 1024
        self.assertIsNone(self.decided(public(open=True), request(b"PUT", b"/admin/api/policy", b"Content-Length: %d\r\n" % limit)).answer)
        self.assertStatus(
            self.decided(public(open=True), request(b"PUT", b"/admin/api/policy", b"Content-Length: %d\r\n" % (limit + 1))), 413
        )


class WithoutSignIn(Decided):
    @table(("name", b"localhost:8080"), ("address", b"127.0.0.1:8080"), ("ipv6", b"[::1]:8080"), ("no port", b"LOCALHOST"))
    def test_local_names(self, name: str, host: bytes) -> None:
        self.assertIsNone(self.decided(trial(), request(b"GET", b"/admin/api/status", host=host)).answer)

    @table(("rebound", b"evil.example"), ("other loopback", b"127.0.0.2"), ("long ipv6", b"[0:0::1]"), ("below", b"x.localhost"))
    def test_other_names(self, name: str, host: bytes) -> None:
        self.assertStatus(self.decided(trial(), request(b"GET", b"/admin", host=host)), 421)

    @table(
        ("forwarded for", b"X-Forwarded-For: 127.0.0.1"),
        ("forwarded proto", b"x-forwarded-proto: http"),
        ("forwarded anything", b"X-Forwarded-Whatever: 1"),
        ("standard", b"Forwarded: for=127.0.0.1"),
        ("real ip", b"X-Real-IP: 127.0.0.1"),
        ("true client", b"True-Client-IP: 127.0.0.1"),
        ("via", b"Via: 1.1 x"),
        ("cross site", b"Sec-Fetch-Site: cross-site"),
        ("foreign origin", b"Origin: https://evil.example"),
        ("no origin", b"Origin: null"),
        ("empty origin", b"Origin:"),
        ("other scheme", b"Origin: https://localhost:8080"),
        ("other port", b"Origin: http://localhost:3000"),
        ("longer origin", b"Origin: http://localhost:8080.evil.example"),
    )
    def test_what_comes_from_elsewhere(self, name: str, field: bytes) -> None:
        for method, target in (
            (b"GET", b"/admin"),
            (b"POST", b"/admin/api/x"),
            (b"GET", b"/key"),
            (b"GET", b"/robots.txt"),
            (b"GET", b"/nothing"),
        ):
            self.assertStatus(self.decided(trial(), request(method, target, field + b"\r\n", host=b"localhost:8080")), 403)

    @table(
        ("own origin", b"Origin: http://127.0.0.1:8080"),
        ("the name asked for", b"Origin: http://localhost:8080"),
        ("same origin", b"Sec-Fetch-Site: same-origin"),
        ("typed", b"Sec-Fetch-Site: none"),
    )
    def test_what_comes_from_here(self, name: str, field: bytes) -> None:
        self.assertIsNone(self.decided(trial(), request(b"POST", b"/admin/api/x", field + b"\r\n", host=b"localhost:8080")).answer)

    def test_with_a_sign_in_these_fields_are_nothing_special(self) -> None:
        fields = b"X-Forwarded-For: 127.0.0.1\r\nOrigin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n"
        self.assertIsNone(self.decided(public(), request(b"GET", b"/key", fields)).answer)


PATHS = st.from_regex(rb"\A/[a-z0-9./%_-]{0,30}\Z") | st.sampled_from(
    [b"/admin/api/public/../../key", b"/derp", b"/key", b"/admin/connect"]
)


class Properties(Decided):
    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS"]), PATHS, st.booleans())
    def test_what_goes_upstream_is_spelled_as_the_table_has_it(self, method: bytes, path: bytes, is_open: bool) -> None:
        decision = self.decided(public(open=is_open), request(method, path + b"?q=%2f.."))
        if decision.answer is None:
            route = decision.route
            self.assertIn(method, route.methods)
            self.assertEqual(decision.upstream_path, path + b"?q=%2f..")
            self.assertTrue(route.path == path or (route.pattern and route.pattern.fullmatch(path)))
            self.assertNotIn(b"..", path.split(b"/"))
