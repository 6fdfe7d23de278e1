"""The built pages, served from an index that is made once, at start.

A request's path is only ever looked up in that index; no path is joined, no file is opened while serving, so nothing outside assets/ can
be asked for. A change of the files is seen at the next start.

    _app/immutable/…   one year, immutable (the name changes with the content)
    pages              `no-cache`: asked for again each time, 304 when the same
    other _app/…       404 when unknown
    anything else      the fallback page: the router in the browser knows it, or says so itself
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from twisted.web.iweb import IRequest

from hsadmin.console.endpoint import Guard
from hsadmin.console.guard import Rules
from hsadmin.console.pages import NOT_BUILT, policy
from hsadmin.console.reply import answer
from hsadmin.errors import MethodNotAllowed, NotFound

BASE = "/admin"
FALLBACK = "200.html"
CODINGS = ((b"br", ".br"), (b"gzip", ".gz"))  # the better first
IMMUTABLE = b"public, max-age=31536000, immutable"
NO_CACHE = b"no-cache"
# The public part: the page for people who connect a device, and what pages load. Everything else of the console is behind the guard.
PUBLIC_PAGES = frozenset({f"{BASE}/connect"})
TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".ico": "image/x-icon",
}


@dataclass(frozen=True, slots=True)
class Representation:
    body: bytes
    tag: bytes  # a strong ETag, quotes included


@dataclass(frozen=True, slots=True)
class File:
    """One file as it may be answered: as it is (coding b""), and as it was compressed beforehand."""

    representations: Mapping[bytes, Representation]
    media: bytes
    caching: bytes
    policy: bytes
    guard: Guard


class Files:
    """The index of `root`, the folder of the built console; empty when that is missing or has no fallback page."""

    def __init__(self, root: Path) -> None:
        self._index = _index(root)
        self._fallback = self._index.pop(f"{BASE}/{FALLBACK}", None)

    @property
    def built(self) -> bool:
        return self._fallback is not None

    def render(self, request: IRequest, rules: Rules) -> bytes:
        """Answers a path under /admin. Raises NotFound, MethodNotAllowed or Forbidden."""
        path = request.path.decode("latin-1")
        if path != BASE and not path.startswith(f"{BASE}/"):
            raise NotFound("There is nothing at this path.")
        if request.method not in {b"GET", b"HEAD"}:
            request.setHeader(b"allow", b"GET, HEAD")
            raise MethodNotAllowed("Pages are only read.")
        if path == f"{BASE}/":
            return answer(request, HTTPStatus.PERMANENT_REDIRECT, b"", {b"location": BASE.encode(), b"cache-control": NO_CACHE})
        file = self._index.get(path)
        if file is None and path.startswith(f"{BASE}/_app/"):
            raise NotFound("There is no such file.")
        if file is None:
            rules.admit(Guard.PUBLIC if path in PUBLIC_PAGES else Guard.OPEN)
            file = self._fallback
        if file is None:
            fields = {b"content-type": TYPES[".html"].encode(), b"cache-control": b"no-store", b"content-security-policy": policy()}
            return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, NOT_BUILT, fields)
        rules.admit(Guard.PUBLIC if path in PUBLIC_PAGES else file.guard)
        return _send(request, file)


def _send(request: IRequest, file: File) -> bytes:
    coding = _coding(b",".join(request.requestHeaders.getRawHeaders(b"accept-encoding") or []), file)
    chosen = file.representations[coding]
    fields = {b"etag": chosen.tag, b"cache-control": file.caching, b"content-security-policy": file.policy, b"vary": b"accept-encoding"}
    if _matches(b",".join(request.requestHeaders.getRawHeaders(b"if-none-match") or []), chosen.tag):
        return answer(request, HTTPStatus.NOT_MODIFIED, b"", fields)
    if coding:
        fields[b"content-encoding"] = coding
    return answer(request, HTTPStatus.OK, chosen.body, {**fields, b"content-type": file.media})


def _coding(accepted: bytes, file: File) -> bytes:
    """The best coding that both have; b"" when the file goes as it is."""
    wanted: dict[bytes, bool] = {}
    for item in accepted.lower().split(b","):
        name, *parameters = (word.strip() for word in item.split(b";"))
        wanted[name] = not any(parameter.replace(b" ", b"").rstrip(b"0.") == b"q=" for parameter in parameters)
    for coding, _ in CODINGS:
        if coding in file.representations and wanted.get(coding, wanted.get(b"*", False)):
            return coding
    return b""


def _matches(condition: bytes, tag: bytes) -> bool:
    tags = {item.strip().removeprefix(b"W/") for item in condition.split(b",")}
    return tag in tags or b"*" in tags


def _index(root: Path) -> dict[str, File]:
    """Every regular file below `root` by its path in a URL; a page by its name without .html, index.html by the base alone."""
    contents = {
        path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()
    }
    index: dict[str, File] = {}
    for name, body in contents.items():
        if name.startswith(".") or any(name.endswith(suffix) and name.removesuffix(suffix) in contents for _, suffix in CODINGS):
            continue
        compressed = {coding: contents[name + suffix] for coding, suffix in CODINGS if name + suffix in contents}
        index[_url(name)] = _file(name, {b"": body, **compressed})
    return index


def _url(name: str) -> str:
    if name == FALLBACK or not name.endswith(".html"):
        return f"{BASE}/{name}"
    page = name.removesuffix(".html")
    return BASE if page == "index" else f"{BASE}/{page.removesuffix('/index')}"


def _file(name: str, contents: Mapping[bytes, bytes]) -> File:
    page = name.endswith(".html")
    media = TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return File(
        representations={coding: Representation(body, _tag(body)) for coding, body in contents.items()},
        media=media.encode(),
        caching=IMMUTABLE if name.startswith("_app/immutable/") else NO_CACHE,
        policy=policy(contents[b""] if page else b""),
        guard=Guard.OPEN if page else Guard.PUBLIC,
    )


def _tag(body: bytes) -> bytes:
    return b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
