"""Heads written anew: exactly what goes upstream, exactly what comes back, and that h11 reads both as we meant them."""

from __future__ import annotations

from ipaddress import ip_address

import h11
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hsadmin.front.allow import Allow, Console, Decision
from hsadmin.front.body import LAST_CHUNK, as_chunk
from hsadmin.front.head import RequestHead, ResponseHead, parse_request, parse_response
from hsadmin.front.relay import Relayed, cookie_from_headscale, cookies_for
from hsadmin.front.routes import Target
from tests.tables import TableCase, table

CLIENT = ip_address("203.0.113.9")
ALLOW = Allow(hosts=frozenset((b"hs.example",)), console=Console(open=True), own_origin=b"https://hs.example")
PLAIN = Allow(hosts=frozenset((b"hs.example",)), console=Console(open=True), own_origin=b"http://hs.example")
FORWARDING = (
    b"X-Forwarded-For: 1.1.1.1\r\nx-forwarded-proto: http\r\nX-Real-IP: 1.1.1.1\r\n"
    b"True-Client-IP: 1.1.1.1\r\nForwarded: for=1.1.1.1\r\nVia: 1.1 x\r\n"
)
HOP_BY_HOP = b"Keep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nTrailer: X\r\n"
WEBSOCKET = (
    b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
)


def request(line: bytes, fields: bytes = b"", minor: int = 1) -> RequestHead:
    head = parse_request(line + b" HTTP/1.%d\r\nHost: hs.example:8443\r\n" % minor + fields + b"\r\n")
    assert head is not None
    return head


def response(data: bytes, *, to_head_request: bool = False) -> ResponseHead:
    head = parse_response(data + b"\r\n", to_head_request=to_head_request)
    assert head is not None
    return head


def decided(head: RequestHead) -> Decision:
    decision = ALLOW.decide(head, CLIENT)
    assert decision.answer is None, decision
    return decision


def upstream(line: bytes, fields: bytes = b"", minor: int = 1) -> bytes:
    head = request(line, fields, minor)
    return ALLOW.upstream_head(decided(head), head, client="203.0.113.9", scheme="https", host=head.values[b"host"])


def downstream(line: bytes, answer: bytes, *, fields: bytes = b"", minor: int = 1, hsts: bool = False, close: bool = False) -> Relayed:
    head = request(line, fields, minor)
    answered = response(answer, to_head_request=head.method == b"HEAD")
    return ALLOW.downstream_head(decided(head), head, answered, tls=True, hsts=hsts, close=close)


class Upstream(TableCase):
    @table(
        (
            "native client",
            b"POST /ts2021",
            b"User-Agent: Go-http-client/1.1\r\nContent-Length: 0\r\n"
            b"Connection: upgrade\r\nUpgrade: Tailscale-Control-Protocol\r\nX-Tailscale-Handshake: AAA=\r\n",
            b"User-Agent: Go-http-client/1.1\r\nX-Tailscale-Handshake: AAA=\r\n"
            b"Connection: Upgrade\r\nUpgrade: tailscale-control-protocol\r\nContent-Length: 0\r\n",
        ),
        (
            "native client in a browser",
            b"GET /ts2021?X-Tailscale-Handshake=AAA%3D",
            WEBSOCKET + b"Sec-WebSocket-Protocol: tailscale-control-protocol\r\nOrigin: https://x\r\nCookie: a=b\r\n",
            b"Sec-WebSocket-Key: k\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tailscale-control-protocol\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        ),
        (
            "derp",
            b"GET /derp",
            b"Upgrade: DERP\r\nConnection: Upgrade\r\nIdeal-Node: 9\r\n",
            b"Ideal-Node: 9\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n",
        ),
        (
            "derp in a hurry",
            b"GET /derp",
            b"Upgrade: derp\r\nConnection: Upgrade\r\nDerp-Fast-Start: 1\r\n",
            b"Connection: Upgrade\r\nUpgrade: DERP\r\n",
        ),
        ("key", b"GET /key?v=138", b"Accept-Encoding: gzip\r\nX-Anything: y\r\nAccept: */*\r\n", b"Accept: */*\r\n"),
        ("upgrade to be ignored", b"GET /key", b"Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n", b""),
        ("what proxies and hops say", b"GET /key", FORWARDING + HOP_BY_HOP, b""),
        ("credentials", b"GET /key", b"Authorization: Bearer x\r\nCookie: a=b\r\n", b""),
        (
            "its cookies but not ours",
            b"GET /oidc/callback?code=x",
            b"Cookie: state_x=1; __Host-hsadmin=2; nonce_x=3\r\n",
            b"Cookie: state_x=1; nonce_x=3\r\n",
        ),
        ("none but our cookies", b"GET /oidc/callback", b"Cookie: __Host-hsadmin=2; __host-HSADMIN-csrf=4\r\n", b""),
        (
            "form",
            b"POST /register/confirm/hskey-authreq-aaaaaaaaaaaaaaaaaaaaaaaa",
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0003\r\nExpect: 100-continue\r\n",
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n",
        ),
        (
            "form in chunks",
            b"POST /register/confirm/hskey-authreq-aaaaaaaaaaaaaaaaaaaaaaaa",
            b"Transfer-Encoding: CHUNKED\r\nTrailer: x\r\n",
            b"Transfer-Encoding: chunked\r\n",
        ),
    )
    def test_to_headscale(self, name: str, line: bytes, fields: bytes, sent: bytes) -> None:
        self.assertEqual(upstream(line, fields), line + b" HTTP/1.1\r\nHost: hs.example:8443\r\n" + sent + b"\r\n")

    def test_an_old_visitor_is_relayed_in_our_version(self) -> None:
        self.assertEqual(upstream(b"GET /key", minor=0), b"GET /key HTTP/1.1\r\nHost: hs.example:8443\r\n\r\n")

    def test_what_is_for_this_hop_alone_stays_here(self) -> None:
        sent = upstream(b"GET /key", b"Connection: close, User-Agent\r\nUser-Agent: x\r\nAccept: y\r\n")
        self.assertEqual(sent, b"GET /key HTTP/1.1\r\nHost: hs.example:8443\r\nAccept: y\r\n\r\n")

    def test_to_the_console(self) -> None:
        fields = (
            b"Cookie: a=b; __Host-hsadmin=2\r\nCookie: c=d\r\nIf-Match: 1\r\nX-CSRF-Token: t\r\nAuthorization: x\r\nContent-Length: 2\r\n"
        )
        self.assertEqual(
            upstream(b"PUT /admin/api/x?y=z", fields + FORWARDING + HOP_BY_HOP),
            b"PUT /admin/api/x?y=z HTTP/1.1\r\nHost: hs.example:8443\r\nCookie: __Host-hsadmin=2\r\nIf-Match: 1\r\nX-CSRF-Token: t\r\n"
            b"Content-Length: 2\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\r\n",
        )

    def test_nobody_can_keep_the_console_from_hearing_the_address(self) -> None:
        sent = upstream(b"GET /admin", b"Connection: close, X-Forwarded-For, X-Forwarded-Proto\r\n")
        self.assertIn(b"\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n", sent)


LINES = st.sampled_from(
    [
        b"POST /register/confirm/hskey-authreq-aaaaaaaaaaaaaaaaaaaaaaaa",
        b"GET /key?v=1",
        b"HEAD /derp/probe",
        b"GET /admin/api/x",
        b"POST /admin/api/x?a=b",
        b"DELETE /admin/api/x",
        b"GET /oidc/callback?x=y",
    ]
)
NAMES = st.sampled_from(
    [
        b"Accept",
        b"Cookie",
        b"User-Agent",
        b"Origin",
        b"X-Forwarded-For",
        b"Forwarded",
        b"Via",
        b"Connection",
        b"TE",
        b"Trailer",
        b"X-CSRF-Token",
        b"If-Match",
        b"Upgrade",
        b"Sec-Fetch-Site",
        b"Keep-Alive",
    ]
) | st.from_regex(rb"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}\Z")
VALUES = st.binary(max_size=20).map(lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F)) | st.sampled_from(
    [b"close", b"upgrade", b"cookie", b"a=b; __Host-hsadmin=c", b"__Host-hsadmin=c", b"x-forwarded-for"]
)
BODIES = st.none() | st.binary(max_size=50) | st.lists(st.binary(max_size=20), max_size=4)


class ReadByH11(TableCase):
    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(LINES, st.lists(st.tuples(NAMES, VALUES), max_size=8), BODIES)
    def test_what_goes_upstream(self, line: bytes, fields: list[tuple[bytes, bytes]], body: bytes | list[bytes] | None) -> None:
        """The head and body that go upstream are to h11 the very request that we took them for, and nothing is left over."""
        assume(not {name.lower() for name, _ in fields} & {b"host", b"expect", b"content-length", b"transfer-encoding"})
        assume(len({name.lower() for name, _ in fields}) == len(fields))
        framing = (
            b"" if body is None else b"Content-Length: %d\r\n" % len(body) if isinstance(body, bytes) else b"Transfer-Encoding: chunked\r\n"
        )
        assume(body is None or not any(name.lower() == b"upgrade" for name, _ in fields))
        head = request(line, b"".join(b"%b: %b\r\n" % field for field in fields) + framing)
        decision = ALLOW.decide(head, CLIENT)
        assume(decision.answer is None)
        sent = ALLOW.upstream_head(decision, head, client="203.0.113.9", scheme="https", host=b"hs.example")
        payload = b"" if body is None else body if isinstance(body, bytes) else b"".join(body)
        if isinstance(body, list):
            sent += b"".join(map(as_chunk, body)) + LAST_CHUNK
        else:
            sent += payload
        theirs = h11.Connection(h11.SERVER)
        theirs.receive_data(sent)
        event = theirs.next_event()
        assert isinstance(event, h11.Request)
        self.assertEqual((event.method, event.target, event.http_version), (*line.split(b" "), b"1.1"))
        ours = {b"host", b"content-length", b"transfer-encoding"}
        if decision.route.target is Target.CONSOLE:
            ours |= {b"x-forwarded-for", b"x-forwarded-proto"}
        names = [name for name, _ in event.headers]
        self.assertLessEqual(set(names), decision.route.forward | ours)
        for name in ours:
            self.assertLessEqual(names.count(name), 1)
        for name, value in event.headers:
            if name not in ours | {b"cookie"}:
                self.assertEqual(value, head.get(name))
        received = b""
        while isinstance(event := theirs.next_event(), h11.Data):
            received += event.data
        self.assertIsInstance(event, h11.EndOfMessage)
        self.assertEqual((received, theirs.trailing_data[0]), (payload, b""))

    @table(
        ("length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", b"hello"),
        ("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", b"hello"),
        ("until close", b"HTTP/1.0 200 OK\r\n", b"hello"),
        ("nothing", b"HTTP/1.1 204 No Content\r\n", b""),
        ("not modified", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", b""),
    )
    def test_what_goes_downstream(self, name: str, answer: bytes, payload: bytes) -> None:
        for line, minor in ((b"GET /key", 1), (b"GET /key", 0), (b"HEAD /derp/probe", 1)):
            relayed = downstream(line, answer, minor=minor)
            body = b"" if line.startswith(b"HEAD") else payload
            sent = relayed.head + (as_chunk(body) + LAST_CHUNK if relayed.chunk else body)
            visitor = h11.Connection(h11.CLIENT)
            visitor.send(h11.Request(method=line.split()[0], target="/", headers=[("Host", "a")]))
            visitor.send(h11.EndOfMessage())
            visitor.receive_data(sent)
            if relayed.close:
                visitor.receive_data(b"")
            event = visitor.next_event()
            assert isinstance(event, h11.Response)
            received = b""
            while isinstance(event := visitor.next_event(), h11.Data):
                received += event.data
            self.assertIsInstance(event, h11.EndOfMessage)
            self.assertEqual(received, body)
            if minor == 0:
                self.assertNotIn(b"chunked", relayed.head)
                self.assertTrue(relayed.close)


SEALED = b"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nX-Frame-Options: DENY\r\n"
SHUT_POLICY = b"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"


class Downstream(TableCase):
    def test_from_headscale(self) -> None:
        relayed = downstream(
            b"GET /key",
            b"HTTP/1.1 200 OK\r\nServer: x\r\nX-Powered-By: y\r\nContent-Type: application/json\r\nConnection: close\r\nKeep-Alive: 5\r\n"
            b"Content-Security-Policy: frame-ancestors 'none'\r\nX-Frame-Options: DENY\r\nContent-Length: 5\r\n",
            hsts=True,
        )
        self.assertEqual(
            relayed.head,
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            + SHUT_POLICY
            + SEALED
            + b"Strict-Transport-Security: max-age=31536000\r\nContent-Length: 5\r\n\r\n",
        )
        self.assertEqual(relayed[1:], (False, False))

    def test_a_page_of_headscale_gets_our_policy_instead_of_its_own(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\nContent-Security-Policy: frame-ancestors *\r\nContent-Length: 0\r\n"
        head = downstream(b"GET /apple", answer).head
        self.assertEqual(head.count(b"Content-Security-Policy"), 1)
        self.assertIn(
            b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; ", head
        )
        self.assertNotIn(b"script-src", head)

    def test_from_the_console(self) -> None:
        theirs = b"Set-Cookie: __Host-hsadmin=1; Secure\r\nSet-Cookie: b=2\r\nETag: e\r\nContent-Security-Policy: p\r\n"
        answer = b"HTTP/1.1 200 OK\r\nServer: x\r\n" + theirs + b"Connection: close\r\nContent-Length: 5\r\n"
        self.assertEqual(
            downstream(b"GET /admin", answer).head,
            b"HTTP/1.1 200 OK\r\n" + theirs + b"Content-Length: 5\r\n\r\n",
        )

    @table(
        ("kept", b"", 1, b"", False),
        ("visitor closes", b"Connection: close\r\n", 1, b"Connection: close\r\n", True),
        ("old visitor", b"", 0, b"Connection: close\r\n", True),
        ("old visitor that stays", b"Connection: keep-alive\r\n", 0, b"Connection: keep-alive\r\n", False),
    )
    def test_connection(self, name: str, fields: bytes, minor: int, said: bytes, closed: bool) -> None:
        relayed = downstream(b"GET /admin", LENGTH, fields=fields, minor=minor)
        self.assertEqual(relayed, (LENGTH + said + b"\r\n", False, closed))

    @table(
        ("no content must not say a length", b"GET /admin", b"HTTP/1.1 204 No Content\r\n", b""),
        ("not modified may", b"GET /admin", b"HTTP/1.1 304 Not Modified\r\n", b"Content-Length: 5\r\n"),
        ("head may", b"HEAD /admin", b"HTTP/1.1 200 OK\r\n", b"Content-Length: 5\r\n"),
    )
    def test_lengths_of_bodies_that_do_not_follow(self, name: str, line: bytes, answer: bytes, said: bytes) -> None:
        self.assertEqual(downstream(line, answer + b"Content-Length: 5\r\n"), (answer + said + b"\r\n", False, False))

    def test_connection_that_we_close(self) -> None:
        self.assertEqual(downstream(b"GET /admin", LENGTH, close=True), (LENGTH + b"Connection: close\r\n\r\n", False, True))

    @table(("chunks", b"Transfer-Encoding: chunked\r\n"), ("until close", b""))
    def test_framing_without_a_length(self, name: str, framing: bytes) -> None:
        answer = b"HTTP/1.1 200 OK\r\n"
        relayed = downstream(b"GET /admin", answer + framing)
        self.assertEqual(relayed, (answer + b"Transfer-Encoding: chunked\r\n\r\n", True, False))
        old = downstream(b"GET /admin", answer + framing, fields=b"Connection: keep-alive\r\n", minor=0)
        self.assertEqual(old, (answer + b"Connection: close\r\n\r\n", False, True))

    def test_a_switch(self) -> None:
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\nDerp-Version: 2\r\nDerp-Public-Key: nodekey:x\r\n"
        )
        self.assertEqual(
            downstream(b"GET /derp", answer, fields=b"Connection: upgrade\r\nUpgrade: derp\r\n", hsts=True).head,
            b"HTTP/1.1 101 Switching Protocols\r\nDerp-Version: 2\r\nDerp-Public-Key: nodekey:x\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n",
        )

    def test_a_switch_is_spelled_as_the_native_client_compares_it(self) -> None:
        answer = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\nX-Frame-Options: DENY\r\n"
        )
        self.assertEqual(
            downstream(b"POST /ts2021", answer, fields=b"Connection: upgrade\r\nUpgrade: tailscale-control-protocol\r\n").head,
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tailscale-control-protocol\r\n\r\n",
        )

    @table(
        ("derp", b"", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: DERP\r\n", True),
        ("refused", b"", b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: DERP\r\n", False),
        ("no connection", b"", b"HTTP/1.1 101 X\r\nUpgrade: DERP\r\n", False),
        ("another protocol", b"", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", False),
        ("websocket", b"w", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: derp\r\n", True),
        ("websocket without subprotocol", b"w", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n", False),
        ("plain derp for a websocket", b"w", b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: DERP\r\n", False),
    )
    def test_switched(self, name: str, websocket: bytes, answer: bytes, switched: bool) -> None:
        fields = WEBSOCKET + b"Sec-WebSocket-Protocol: derp\r\n" if websocket else b"Connection: upgrade\r\nUpgrade: derp\r\n"
        self.assertIs(ALLOW.switched(decided(request(b"GET /derp", fields)), response(answer)), switched)

    def test_an_ordinary_route_is_never_switched(self) -> None:
        decision = decided(request(b"GET /key", b"Connection: upgrade\r\nUpgrade: derp\r\n"))
        self.assertFalse(ALLOW.switched(decision, response(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: derp\r\n")))
        self.assertFalse(ALLOW.switched(decision, response(b"HTTP/1.1 101 X\r\n")))


class Cookies(TableCase):
    @table(
        ("one of each", b"a=b; __Host-hsadmin=c", b"a=b", b"__Host-hsadmin=c"),
        ("another of ours", b"__Host-hsadmin-csrf=c;a=b", b"a=b", b"__Host-hsadmin-csrf=c"),
        ("in another case", b"__HOST-HSADMIN=c", b"", b"__HOST-HSADMIN=c"),
        ("without a value", b"__Host-hsadmin; x", b"x", b"__Host-hsadmin"),
        ("with another prefix", b"__Secure-x=1; x__Host-hsadmin=2", b"__Secure-x=1; x__Host-hsadmin=2", b""),
        ("empty parts", b";; a=b ;", b"a=b", b""),
        ("nothing", b"", b"", b""),
    )
    def test_whose(self, name: str, value: bytes, headscale: bytes, console: bytes) -> None:
        self.assertEqual(cookies_for(Target.HEADSCALE, value), headscale)
        self.assertEqual(cookies_for(Target.CONSOLE, value), console)

    @table(
        ("secure is added", b"state_x=1; Path=/oidc/callback; HttpOnly", b"state_x=1; Path=/oidc/callback; HttpOnly; Secure"),
        ("alone", b"a=1", b"a=1; Secure"),
        ("already", b"a=1; secure; Path=/", b"a=1; secure; Path=/"),
        ("a value that says so is not enough", b"secure=1", b"secure=1; Secure"),
        ("an open end", b"a=1; ", b"a=1; Secure"),
        ("ours", b"__Host-hsadmin=stolen; Secure; Path=/", b""),
        ("ours in another case", b"__host-Hsadmin-csrf=x", b""),
        ("ours without a name", b"=__Host-hsadmin=x", b""),
        ("ours after spaces", b" \t__Host-hsadmin=x", b""),
    )
    def test_set_by_headscale_under_tls(self, name: str, value: bytes, passed: bytes) -> None:
        self.assertEqual(cookie_from_headscale(value, tls=True), passed)

    def test_set_by_headscale_without_tls(self) -> None:
        self.assertEqual(cookie_from_headscale(b"a=1", tls=False), b"a=1")

    def test_behind_a_proxy_that_does_the_tls_cookies_are_secure_too(self) -> None:
        head = request(b"GET /oidc/callback")
        answer = response(
            b"HTTP/1.1 302 Found\r\nSet-Cookie: a=1\r\nSet-Cookie: __Host-hsadmin=x\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n"
        )
        for allow, secure in ((ALLOW, b"; Secure"), (PLAIN, b"")):
            fields = allow.downstream_fields(decided(head), answer, tls=False, hsts=False)
            self.assertEqual([value for name, value in fields if name == b"set-cookie"], [b"a=1" + secure, b"b=2" + secure])
