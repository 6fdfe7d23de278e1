"""What a built page may do in a browser: one strict policy, with the hashes of the scripts that are written into the page itself.

The hashes are computed from the very bytes that are served, so that a new build never has to be told to anybody. Style attributes are
allowed because SvelteKit's route announcer carries one; style elements are not.
"""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser

POLICY = (
    "default-src 'none'; script-src 'self'{hashes}; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
EXECUTABLE = frozenset({"", "module", "text/javascript", "application/javascript"})


def policy(html: bytes = b"") -> bytes:
    """The Content-Security-Policy of a page; without one, of any other file."""
    return POLICY.format(hashes="".join(f" 'sha256-{digest}'" for digest in script_hashes(html))).encode()


def script_hashes(html: bytes) -> list[str]:
    """Base64 SHA-256 of every inline script that a browser would run, sorted."""
    reader = _InlineScripts()
    reader.feed(html.decode("utf-8", "replace").replace("\r\n", "\n"))
    reader.close()
    return sorted({base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in reader.scripts})


class _InlineScripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and "src" not in given and (given.get("type") or "").lower() in EXECUTABLE:
            self._inside = True
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data


NOT_BUILT = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Console not built</title>
<h1>The console is not built</h1>
<p>hsadmin runs, but its pages were not built with it. <code>contrib/run</code> builds them, and so does
<code>pip install .</code> in a checkout. The API under <code>/admin/api/</code> works without them.</p>
</html>
"""
