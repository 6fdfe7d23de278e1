"""What must not be reachable from outside, with headscale's own log as the witness; and a certificate swapped under an open stream."""

from __future__ import annotations

import ssl

import trustme
from twisted.trial.unittest import TestCase

from tests.fakes.control import Node
from tests.fakes.noise import Server
from tests.fakes.tls import pem_pair
from tests.live.rig import Hsadmin, until

ID = "hskey-authreq-" + "a" * 24
SHUT = (
    ("GET", "/health"),
    ("GET", "/version"),
    ("POST", "/verify"),
    ("GET", "/swagger"),
    ("GET", "/swagger/v1/openapiv2.json"),
    ("GET", "/api"),
    ("GET", "/api/v1/node"),
    ("POST", "/api/v1/user"),
    ("GET", "/api/v2/tailnet"),
    ("GET", "/metrics"),
    ("GET", "/debug/"),
    ("GET", "/debug/pprof/"),
    ("GET", "/debug/config"),
    ("GET", "/generate_204"),
    ("POST", "/machine/register"),
    ("POST", "/machine/map"),
    ("GET", "/machine/ping-response"),
    ("GET", "//key"),
    ("GET", "/key/"),
    ("GET", "/%6bey"),
    ("GET", "/derp/../health"),
    ("GET", "/derp/x"),
    ("GET", "/register/x"),
    ("GET", f"/register/{ID}/"),
    ("GET", f"/register/{ID}%2f.."),
    ("POST", f"/register/{ID}"),
    ("GET", "/auth/x"),
    ("GET", "/apple/x"),
    ("DELETE", "/key"),
    ("GET", "/admin/api/status"),
    ("GET", "/admin/"),
    ("GET", "/ws"),
    ("GET", "/api/v1/docs"),
)


class ShutTests(TestCase):
    timeout = 300

    def setUp(self) -> None:
        self.hsadmin = Hsadmin()
        self.addCleanup(self.hsadmin.close)
        self.hsadmin.start()
        self.hsadmin.ready()

    def requests_seen(self) -> list[str]:
        """Paths that headscale logged a request for, our own health checks left out."""
        return [path for path in self.hsadmin.headscale_requests() if path != "/health"]

    def test_shut_paths_are_404_and_headscale_sees_none_of_them(self) -> None:
        for method, path in SHUT:
            answer = self.hsadmin.get(path, method)
            self.assertEqual(answer.status, 404, f"{method} {path}")
            self.assertEqual(answer.content, b"", path)  # type: ignore[attr-defined]
            self.assertNotIn("headscale", str(answer.headers).lower())
        self.assertEqual(self.hsadmin.get("/key?v=138").status, 200)
        until(lambda: "/key" in self.requests_seen(), 10, "headscale to log the request that is allowed")
        self.assertEqual([path for path in self.requests_seen() if path != "/key"], [])

    def test_a_foreign_host_is_misdirected(self) -> None:
        self.assertEqual(self.hsadmin.get("/key?v=138", headers={"Host": "evil.example"}).status, 421)

    def test_what_clients_need_is_open(self) -> None:
        for method, path, status in (
            ("GET", "/key?v=138", 200),
            ("HEAD", "/machine/ping-response?id=none", 404),
            ("GET", f"/register/{ID}", 200),
            ("GET", f"/auth/{ID}", 200),
            ("GET", "/derp", 426),
            ("GET", "/derp/probe", 200),
            ("HEAD", "/derp/latency-check", 200),
            ("GET", "/bootstrap-dns", 200),
            ("GET", "/apple", 200),
            ("GET", "/windows", 200),
            ("GET", "/robots.txt", 200),
            ("GET", "/admin/connect", 200),
            ("GET", "/admin/api/public/server", 200),
        ):
            self.assertEqual(self.hsadmin.get(path, method).status, status, f"{method} {path}")


class SwapTests(TestCase):
    timeout = 300

    def test_a_certificate_is_swapped_under_an_open_stream(self) -> None:
        old, new = trustme.CA(), trustme.CA()
        hsadmin = Hsadmin()
        self.addCleanup(hsadmin.close)
        chain, key = hsadmin.folder / "cert.pem", hsadmin.folder / "key.pem"

        def put(ca: trustme.CA) -> None:
            for path, content in zip((chain, key), pem_pair(ca, "localhost"), strict=True):
                path.write_bytes(content)

        put(old)
        hsadmin.configure(tls={"mode": "files", "cert": str(chain), "key": str(key)})
        hsadmin.start()
        hsadmin.ready()
        before, after = (Server(hsadmin.url, ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())) for ca in (old, new))
        server_key = before.key()
        node = Node(before, "swap")
        self.assertTrue(node.register(server_key, hsadmin.key())["MachineAuthorized"])
        node.stream(server_key)
        put(new)
        hsadmin.running().send_signal(1)
        until(lambda: reaches(after), 5 * 2, "the new certificate")
        self.assertFalse(reaches(before))
        hsadmin.command("key", "create", "--user", "me")
        hsadmin.command("headscale", "--", "nodes", "rename", "-i", "1", "swapped")
        until(lambda: "swapped" in str(node.next_message()), 5 * 5, "an update on the stream that was open all the while", every=0)
        chain.write_bytes(b"broken")
        hsadmin.running().send_signal(1)
        until(lambda: "The certificate in force stays" in hsadmin.log(), 5 * 2, "the broken pair to be refused")
        self.assertTrue(reaches(after))
        node.close()


def reaches(server: Server) -> bool:
    try:
        return bool(server.key())
    except OSError:
        return False
