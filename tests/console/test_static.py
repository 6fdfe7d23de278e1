"""Pages from a folder that a test has built: what is found, how it is labelled, what may be cached, what a browser may do with it."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path
from typing import ClassVar

from hsadmin.console.pages import script_hashes
from hsadmin.console.static import Files
from tests.console.support import Answer, DoorTestCase
from tests.console.test_app import TABLE
from tests.fakes.rooms import neighbours

INLINE = "\n  start({ base: '/admin' });\n"
SCRIPT = b"export const a = 1;\n" * 20
FALLBACK = f'<!doctype html><script type="module" src="/admin/theme.js"></script><script>{INLINE}</script>'.encode()
TREE = {
    "200.html": FALLBACK,
    "connect.html": b"<!doctype html><h1>Connect a device</h1>",
    "index.html": b"<!doctype html><h1>Home</h1>",
    "theme.js": b"theme()",
    "favicon.svg": b"<svg/>",
    "_app/version.json": b"{}",
    "_app/immutable/start.abc.js": SCRIPT,
    "_app/immutable/start.abc.js.br": b"brotli bytes",
    "_app/immutable/start.abc.js.gz": gzip.compress(SCRIPT),
    "_app/immutable/font.woff2": b"wOF2",
    ".vite/manifest.json": b"{}",
    "notes.gz": b"not the gzip of anything",
}


def build(root: Path) -> Path:
    for name, body in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (root / "passwd").symlink_to("/etc/passwd")
    return root


class Pages(DoorTestCase):
    auth_disabled: ClassVar[bool] = True

    def setUp(self) -> None:
        self.root = build(Path(self.mktemp()))
        self.stub = self.door(TABLE, neighbours(), auth_disabled=self.auth_disabled, files=Files(self.root))

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask(self.stub, "GET", path, {name.replace("_", "-"): value for name, value in headers.items()})


class Served(Pages):
    def test_what_is_at_each_path(self) -> None:
        for path, file, media, caching in (
            ("/admin", "index.html", "text/html; charset=utf-8", "no-cache"),
            ("/admin/connect", "connect.html", "text/html; charset=utf-8", "no-cache"),
            ("/admin/nodes/7", "200.html", "text/html; charset=utf-8", "no-cache"),
            ("/admin/connect.html", "200.html", "text/html; charset=utf-8", "no-cache"),
            ("/admin/200.html", "200.html", "text/html; charset=utf-8", "no-cache"),
            ("/admin/.vite/manifest.json", "200.html", "text/html; charset=utf-8", "no-cache"),
            ("/admin/passwd", "200.html", "text/html; charset=utf-8", "no-cache"),
            ("/admin/theme.js", "theme.js", "text/javascript; charset=utf-8", "no-cache"),
            ("/admin/favicon.svg", "favicon.svg", "image/svg+xml", "no-cache"),
            ("/admin/_app/version.json", "_app/version.json", "application/json", "no-cache"),
            (
                "/admin/_app/immutable/start.abc.js",
                "_app/immutable/start.abc.js",
                "text/javascript; charset=utf-8",
                "public, max-age=31536000, immutable",
            ),
            ("/admin/_app/immutable/font.woff2", "_app/immutable/font.woff2", "font/woff2", "public, max-age=31536000, immutable"),
        ):
            with self.subTest(path):
                answer = self.get(path)
                self.assertEqual(
                    (answer.status, answer.body, answer.field("content-type"), answer.field("cache-control"), answer.length),
                    (200, TREE[file], media, caching, len(TREE[file])),
                )

    def test_nothing_outside_the_folder(self) -> None:
        for path in ("/admin/../errors.py", "/admin/%2e%2e/errors.py", "/admin/..%2f..%2ferrors.py", "/admin//etc/passwd"):
            with self.subTest(path):
                self.assertEqual(self.get(path).body, FALLBACK)

    def test_unknown(self) -> None:
        for path in ("/admin/_app/immutable/old.js", "/admin/_app/", "/admin/_app/../index.html", "/", "/adminx", "/metrics"):
            with self.subTest(path):
                self.is_problem(self.get(path), 404, "request.not-found")

    def test_a_missing_call_is_not_answered_with_a_page(self) -> None:
        self.is_problem(self.get("/admin/api/nothing"), 404, "request.not-found")

    def test_pages_are_only_read(self) -> None:
        answer = self.ask(self.stub, "POST", "/admin/connect", {"origin": "http://localhost:8080"})
        self.is_problem(answer, 405, "request.method-not-allowed")
        self.assertEqual(answer.field("allow"), "GET, HEAD")

    def test_one_address_for_home(self) -> None:
        answer = self.get("/admin/")
        self.assertEqual((answer.status, answer.field("location")), (308, "/admin"))

    def test_codings(self) -> None:
        for accepted, coding in (
            ("gzip, deflate, br", "br"),
            ("gzip", "gzip"),
            ("GZIP;q=0.5, br;q=0", "gzip"),
            ("br;q=0.000, gzip;q=0", None),
            ("*", "br"),
            ("br;q=0, *", "gzip"),
            ("identity", None),
            ("zstd", None),
            ("", None),
        ):
            with self.subTest(accepted):
                answer = self.get("/admin/_app/immutable/start.abc.js", accept_encoding=accepted)
                self.assertEqual((answer.field("content-encoding"), answer.field("vary")), (coding, "accept-encoding"))

    def test_a_condition(self) -> None:
        plain = self.get("/admin/_app/immutable/start.abc.js", accept_encoding="identity")
        small = self.get("/admin/_app/immutable/start.abc.js", accept_encoding="br")
        tag, other = plain.field("etag") or "", small.field("etag") or ""
        self.assertNotEqual(tag, other)
        for condition, status in ((tag, 304), (f'"x", W/{tag}', 304), ("*", 304), (other, 200), ('"x"', 200), ("", 200)):
            with self.subTest(condition):
                answer = self.get("/admin/_app/immutable/start.abc.js", accept_encoding="identity", if_none_match=condition)
                self.assertEqual(answer.status, status)
                self.assertEqual((answer.field("etag"), answer.field("vary")), (tag, "accept-encoding"))

    def test_what_a_page_may_do(self) -> None:
        answer = self.get("/admin/nodes")
        digest = base64.b64encode(hashlib.sha256(INLINE.encode()).digest()).decode()
        policy = answer.field("content-security-policy") or ""
        self.assertIn(f"script-src 'self' 'sha256-{digest}';", policy)
        for part in ("default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "style-src 'self'"):
            self.assertIn(part, policy)
        self.assertNotIn("unsafe-inline' 'sha", policy)
        self.assertEqual(
            [answer.field(name) for name in ("x-content-type-options", "referrer-policy", "cross-origin-opener-policy")],
            ["nosniff", "same-origin", "same-origin"],
        )
        self.assertIn("camera=()", answer.field("permissions-policy") or "")

    def test_every_answer_has_a_policy_and_nosniff(self) -> None:
        for path in ("/admin", "/admin/theme.js", "/admin/api/nothing", "/admin/api/things/7", "/admin/_app/none", "/elsewhere"):
            with self.subTest(path):
                answer = self.get(path)
                self.assertIn("frame-ancestors 'none'", answer.field("content-security-policy") or "")
                self.assertEqual(answer.field("x-content-type-options"), "nosniff")


class Shut(Pages):
    """Without auth.disabled, and before there is sign-in."""

    auth_disabled = False

    def test_only_what_the_connect_page_needs_is_there(self) -> None:
        for path, status in (
            ("/admin/connect", 200),
            ("/admin/theme.js", 200),
            ("/admin/favicon.svg", 200),
            ("/admin/_app/immutable/start.abc.js", 200),
            ("/admin", 403),
            ("/admin/nodes", 403),
            ("/admin/200.html", 403),
            ("/admin/connect/more", 403),
        ):
            with self.subTest(path):
                self.assertEqual(self.get(path).status, status)

    def test_connect_by_the_fallback_is_as_public(self) -> None:
        (self.root / "connect.html").unlink()
        stub = self.door(TABLE, neighbours(), auth_disabled=False, files=Files(self.root))
        self.assertEqual(self.ask(stub, "GET", "/admin/connect").body, FALLBACK)


class NotBuilt(DoorTestCase):
    def test_says_so(self) -> None:
        empty = Path(self.mktemp())
        empty.mkdir()
        for why, root in (("missing", Path(self.mktemp())), ("empty", empty)):
            with self.subTest(why):
                files = Files(root)
                answer = self.ask(self.door(TABLE, neighbours(), files=files), "GET", "/admin")
                self.assertFalse(files.built)
                self.assertEqual((answer.status, answer.field("content-type")), (503, "text/html; charset=utf-8"))
                self.assertIn(b"The console is not built", answer.body)
                self.assertNotIn(str(root).encode(), answer.body)


class Hashes(DoorTestCase):
    def test_which_scripts_are_hashed(self) -> None:
        for html, scripts in (
            ("<script>a</script>", ["a"]),
            ("<script type=module>a<b && '</p>'</script>", ["a<b && '</p>'"]),
            ("<SCRIPT TYPE='text/javascript'>a</SCRIPT>", ["a"]),
            ("<script src=x></script><script type=application/json>{}</script>", []),
            ("<script>a\r\nb</script>", ["a\nb"]),
            ("<script>&amp;</script>", ["&amp;"]),
            ("<!-- <script>a</script> --><p>", []),
            ("<script>a</script><script>a</script><script>b</script>", ["a", "b"]),
            ("<script></script>", [""]),
        ):
            with self.subTest(html):
                expected = sorted(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
                self.assertEqual(script_hashes(html.encode()), expected)
