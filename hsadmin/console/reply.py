"""How an answer goes out: always with its length, its media type and the header fields that every answer of the console has.

Klein sets no Content-Length, so without this everything would go out chunked.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.web.http import NO_CONTENT, NOT_MODIFIED
from twisted.web.iweb import IRequest

REQUEST_ID = b"x-request-id"

ALWAYS: Mapping[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NO_PAGE = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def begin(request: IRequest, request_id: str) -> None:
    """Sets what every answer has; whatever answers later may only add to it."""
    request.responseHeaders.removeHeader(b"server")
    request.setHeader(REQUEST_ID, request_id.encode())
    for name, value in ALWAYS.items():
        request.setHeader(name, value)


def request_id(request: IRequest) -> str:
    values: list[bytes] = request.responseHeaders.getRawHeaders(REQUEST_ID) or [b""]
    return values[0].decode()


def answer(request: IRequest, status: int, body: bytes, fields: Mapping[bytes, bytes]) -> bytes:
    """Sets status and header fields; the answer is what a resource's render, or a Klein handler, returns."""
    request.setResponseCode(status)
    for name, value in fields.items():
        request.setHeader(name, value)
    if status not in {NO_CONTENT, NOT_MODIFIED}:
        request.setHeader(b"content-length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


def call_answer(request: IRequest, status: int, body: bytes, media: str) -> bytes:
    """An answer of the API: never stored, and no page even if a browser opens it."""
    return answer(
        request,
        status,
        body,
        {b"content-type": media.encode(), b"cache-control": b"no-store", b"content-security-policy": NO_PAGE},
    )
