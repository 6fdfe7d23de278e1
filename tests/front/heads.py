"""Heads and bodies that must be refused, as rows: name, bytes, the rule that they break, and where the rule is written."""

from __future__ import annotations

from hypothesis import strategies as st

Row = tuple[str, bytes, str, str]

OK = b"Host: hs.example\r\n"
GET = b"GET /key HTTP/1.1\r\n"


def get(fields: bytes) -> bytes:
    return GET + OK + fields + b"\r\n"


def post(fields: bytes) -> bytes:
    return b"POST /ts2021 HTTP/1.1\r\n" + OK + fields + b"\r\n"


BAD_LINES: tuple[Row, ...] = (
    ("tls client hello", b"\x16\x03\x01\x02\x00\x01", "control-byte", "RFC 9110 5.5"),
    ("nul first", b"\x00", "control-byte", "RFC 9110 5.5"),
    ("leading empty line", b"\r\nGET / HTTP/1.1\r\n", "leading-empty-line", "RFC 9112 2.2"),
    ("leading lf", b"\nGET / HTTP/1.1\r\n", "bare-lf", "RFC 9112 2.2"),
    ("leading space", b" GET / HTTP/1.1\r\n", "odd-method", "RFC 9112 3.1"),
    ("small method", b"get / HTTP/1.1\r\n", "odd-method", "RFC 9112 3.1"),
    ("method with a colon", b"GET: / HTTP/1.1\r\n", "odd-method", "RFC 9112 3.1"),
    ("tab after method", b"GET\t/ HTTP/1.1\r\n", "control-byte", "RFC 9110 5.5"),
    ("endless method", b"A" * 17, "method-too-long", "RFC 9112 3"),
    ("connect", b"CONNECT hs.example:443 HTTP/1.1\r\n", "connect-method", "RFC 9110 9.3.6"),
    ("connect with a path", b"CONNECT /key HTTP/1.1\r\n" + OK + b"\r\n", "connect-method", "RFC 9110 9.3.6"),
    ("http 2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2-preface", "RFC 9113 3.4"),
    ("two spaces before target", b"GET  / HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("two spaces after target", b"GET /  HTTP/1.1\r\n", "odd-version", "RFC 9112 2.3"),
    ("no target", b"GET HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("relative target", b"GET key HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\n", "asterisk-form", "RFC 9112 3.2.4"),
    ("another scheme", b"GET ftp://hs.example/ HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("absolute form without authority", b"GET http:///key HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("absolute form with userinfo", b"GET http://a@hs.example/key HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("fragment", b"GET /key#x HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("backslash", b"GET /key\\x HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("byte above ascii in path", b"GET /k\xc3\xa9y HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("byte above ascii in query", b"GET /key?\xff HTTP/1.1\r\n", "odd-target", "RFC 9112 3.2"),
    ("nul in target", b"GET /key\x00 HTTP/1.1\r\n", "control-byte", "RFC 9110 5.5"),
    ("delete in target", b"GET /key\x7f HTTP/1.1\r\n", "control-byte", "RFC 9110 5.5"),
    ("lf in target", b"GET /key\n", "bare-lf", "RFC 9112 2.2"),
    ("target of 8 KiB and one", b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n", "target-too-long", "RFC 9112 3"),
    ("query of 8 KiB", b"GET /?" + b"a" * 8191 + b" HTTP/1.1\r\n" + OK + b"\r\n", "target-too-long", "RFC 9112 3"),
    ("http 0.9", b"GET /key\r\n", "http-0.9", "RFC 9112 3"),
    ("http 0.9 with a query", b"GET /key?v=1\r\n", "http-0.9", "RFC 9112 3"),
    ("http 2.0", b"GET /key HTTP/2.0\r\n", "other-version", "RFC 9110 15.6.6"),
    ("http 1.2", b"GET /key HTTP/1.2\r\n", "other-version", "RFC 9110 15.6.6"),
    ("http 1.10", b"GET /key HTTP/1.10\r\n", "odd-version", "RFC 9112 2.3"),
    ("http 0.9 said", b"GET /key HTTP/0.9\r\n", "other-version", "RFC 9110 15.6.6"),
    ("small http", b"GET /key http/1.1\r\n", "odd-version", "RFC 9112 2.3"),
    ("another protocol", b"GET /key ICY/1.1\r\n", "odd-version", "RFC 9112 2.3"),
    ("space after version", b"GET /key HTTP/1.1 \r\n", "odd-version", "RFC 9112 2.3"),
    ("lf after version", b"GET /key HTTP/1.1\nHost: a\n\n", "bare-lf", "RFC 9112 2.2"),
    ("cr cr lf after version", b"GET /key HTTP/1.1\r\r\n", "bare-cr", "RFC 9112 2.2"),
)

BAD_FIELDS: tuple[Row, ...] = (
    ("fold", get(b"X-A: 1\r\n 2\r\n"), "obs-fold", "RFC 9112 5.2"),
    ("fold by tab", get(b"X-A: 1\r\n\t2\r\n"), "obs-fold", "RFC 9112 5.2"),
    ("space before the first field", GET + b" Host: hs.example\r\n\r\n", "obs-fold", "RFC 9112 5.2"),
    ("space before colon", get(b"Transfer-Encoding : chunked\r\n"), "space-before-colon", "RFC 9112 5.1"),
    ("tab before colon", get(b"Content-Length\t: 3\r\n"), "space-before-colon", "RFC 9112 5.1"),
    ("space in name", get(b"Content Length: 3\r\n"), "space-before-colon", "RFC 9112 5.1"),
    ("no name", get(b": 3\r\n"), "empty-name", "RFC 9110 5.1"),
    ("no colon", get(b"Host\r\n"), "no-colon", "RFC 9112 5"),
    ("no colon but lf", get(b"Host\n"), "bare-lf", "RFC 9112 2.2"),
    ("name in quotes", get(b'"X": 3\r\n'), "odd-name", "RFC 9110 5.1"),
    ("name above ascii", get(b"X-\xc3\xa9: 3\r\n"), "odd-name", "RFC 9110 5.1"),
    ("nul in name", get(b"X\x00: 3\r\n"), "control-byte", "RFC 9110 5.5"),
    ("nul in value", get(b"X: a\x00b\r\n"), "control-byte", "RFC 9110 5.5"),
    ("escape in value", get(b"X: \x1b[2J\r\n"), "control-byte", "RFC 9110 5.5"),
    ("delete in value", get(b"X: \x7f\r\n"), "control-byte", "RFC 9110 5.5"),
    ("vertical tab in value", get(b"Transfer-Encoding:\x0bchunked\r\n"), "control-byte", "RFC 9110 5.5"),
    ("lf in value", get(b"X: a\nY: b\r\n"), "bare-lf", "RFC 9112 2.2"),
    ("cr in value", get(b"X: a\rY: b\r\n"), "bare-cr", "RFC 9112 2.2"),
    ("lf ends the head", GET + OK + b"\nGET /swagger HTTP/1.1\r\n", "bare-lf", "RFC 9112 2.2"),
    ("cr ends the head", GET + OK + b"\rX", "bare-cr", "RFC 9112 2.2"),
    ("101 fields", get(b"X: y\r\n" * 100), "too-many-fields", "RFC 6585 5"),
    ("16 KiB and more", get(b"X: " + b"y" * 16384 + b"\r\n"), "head-too-large", "RFC 6585 5"),
    ("16 KiB without an end", GET + b"X: " + b"y" * 16384, "head-too-large", "RFC 6585 5"),
)

BAD_HOSTS: tuple[Row, ...] = (
    ("no host", GET + b"\r\n", "no-host", "RFC 9112 3.2"),
    ("no host in http 1.0", b"GET /key HTTP/1.0\r\n\r\n", "no-host", "RFC 9112 3.2"),
    ("two hosts", get(b"Host: evil.example\r\n"), "several-hosts", "RFC 9112 3.2"),
    ("the same host twice", get(OK), "several-hosts", "RFC 9112 3.2"),
    ("empty host", GET + b"Host:\r\n\r\n", "odd-host", "RFC 9112 3.2"),
    ("host list", GET + b"Host: a, b\r\n\r\n", "odd-host", "RFC 9112 3.2"),
    ("host with userinfo", GET + b"Host: hs.example@evil.example\r\n\r\n", "odd-host", "RFC 9112 3.2"),
    ("host with a path", GET + b"Host: hs.example/x\r\n\r\n", "odd-host", "RFC 9112 3.2"),
    ("host with an odd port", GET + b"Host: hs.example:80a\r\n\r\n", "odd-host", "RFC 9112 3.2"),
    ("host with two ports", GET + b"Host: hs.example:80:80\r\n\r\n", "odd-host", "RFC 9112 3.2"),
    ("ipv6 without brackets", GET + b"Host: ::1\r\n\r\n", "odd-host", "RFC 9112 3.2"),
    ("ipv6 with a zone", GET + b"Host: [fe80::1%25eth0]\r\n\r\n", "odd-host", "RFC 9112 3.2"),
    ("absolute form of another", b"GET http://evil.example/key HTTP/1.1\r\n" + OK + b"\r\n", "other-authority", "RFC 9112 3.2.2"),
    ("absolute form of another port", b"GET http://hs.example:1/key HTTP/1.1\r\n" + OK + b"\r\n", "other-authority", "RFC 9112 3.2.2"),
)

BAD_FRAMING: tuple[Row, ...] = (
    ("length and coding", post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), "length-beside-coding", "RFC 9112 6.1"),
    ("coding and length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), "length-beside-coding", "RFC 9112 6.1"),
    ("two lengths", post(b"Content-Length: 3\r\nContent-Length: 4\r\n"), "several-lengths", "RFC 9112 6.3"),
    ("the same length twice", post(b"Content-Length: 3\r\ncontent-length: 3\r\n"), "several-lengths", "RFC 9112 6.3"),
    ("list of lengths", post(b"Content-Length: 3, 3\r\n"), "odd-length", "RFC 9110 8.6"),
    ("plus", post(b"Content-Length: +3\r\n"), "odd-length", "RFC 9110 8.6"),
    ("minus", post(b"Content-Length: -3\r\n"), "odd-length", "RFC 9110 8.6"),
    ("space within", post(b"Content-Length: 3 3\r\n"), "odd-length", "RFC 9110 8.6"),
    ("hex", post(b"Content-Length: 0x3\r\n"), "odd-length", "RFC 9110 8.6"),
    ("underscore", post(b"Content-Length: 1_0\r\n"), "odd-length", "RFC 9110 8.6"),
    ("fraction", post(b"Content-Length: 3.0\r\n"), "odd-length", "RFC 9110 8.6"),
    ("empty length", post(b"Content-Length:\r\n"), "odd-length", "RFC 9110 8.6"),
    ("huge length", post(b"Content-Length: 9999999999999999\r\n"), "odd-length", "RFC 9110 8.6"),
    ("superscript digit", post(b"Content-Length: \xb3\r\n"), "odd-length", "RFC 9110 8.6"),
    ("gzip and chunked", post(b"Transfer-Encoding: gzip, chunked\r\n"), "odd-coding", "RFC 9112 6.1"),
    ("chunked twice", post(b"Transfer-Encoding: chunked, chunked\r\n"), "odd-coding", "RFC 9112 6.1"),
    ("two codings", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), "odd-coding", "RFC 9112 6.1"),
    ("identity", post(b"Transfer-Encoding: identity\r\n"), "odd-coding", "RFC 9112 6.1"),
    ("nearly chunked", post(b"Transfer-Encoding: xchunked\r\n"), "odd-coding", "RFC 9112 6.1"),
    ("chunked in quotes", post(b'Transfer-Encoding: "chunked"\r\n'), "odd-coding", "RFC 9112 6.1"),
    ("chunked with parameter", post(b"Transfer-Encoding: chunked;q=1\r\n"), "odd-coding", "RFC 9112 6.1"),
    ("empty coding", post(b"Transfer-Encoding:\r\n"), "odd-coding", "RFC 9112 6.1"),
    ("coding in http 1.0", b"POST / HTTP/1.0\r\n" + OK + b"Transfer-Encoding: chunked\r\n\r\n", "coding-in-1.0", "RFC 9112 6.1"),
    (
        "upgrade with a length",
        post(b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n"),
        "upgrade-with-body",
        "RFC 9110 7.8",
    ),
    (
        "upgrade with chunks",
        post(b"Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n"),
        "upgrade-with-body",
        "RFC 9110 7.8",
    ),
    ("another expectation", post(b"Expect: 200-ok\r\n"), "odd-expectation", "RFC 9110 10.1.1"),
    ("two expectations", post(b"Expect: 100-continue\r\nExpect: 100-continue\r\n"), "repeated-field", "RFC 9110 5.3"),
    ("two origins", post(b"Origin: https://a\r\nOrigin: https://b\r\n"), "repeated-field", "RFC 9110 5.3"),
    ("two handshakes", post(b"X-Tailscale-Handshake: a\r\nX-Tailscale-Handshake: b\r\n"), "repeated-field", "RFC 9110 5.3"),
    ("two credentials", post(b"Authorization: a\r\nAuthorization: b\r\n"), "repeated-field", "RFC 9110 5.3"),
)

BAD_HEADS = BAD_LINES + BAD_FIELDS + BAD_HOSTS + BAD_FRAMING

BAD_CHUNKS: tuple[Row, ...] = (
    ("no size", b"\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("no size but an extension", b";a=b\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("size with prefix", b"0x3\r\nabc\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("size with plus", b"+3\r\nabc\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("size with minus", b"-1\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("size with underscore", b"1_0\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("no hex", b"g\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("space before size", b" 3\r\nabc\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("space after size", b"3 \r\nabc\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("17 digits", b"00000000000000003\r\nabc\r\n", "odd-chunk-size", "RFC 9112 7.1"),
    ("lf after size", b"3\nabc\r\n", "bare-lf", "RFC 9112 2.2"),
    ("cr after size", b"3\rabc\r\n", "bare-cr", "RFC 9112 2.2"),
    ("lf in extension", b"3;a\nabc\r\n0\r\n\r\n", "bare-lf", "RFC 9112 2.2"),
    ("nul in extension", b"3;\x00\r\nabc\r\n", "control-byte", "RFC 9110 5.5"),
    ("endless extension", b"3;" + b"a" * 300 + b"\r\n", "chunk-extension-too-long", "RFC 9112 7.1.1"),
    ("chunk longer than its size", b"3\r\nabcd\r\n", "odd-chunk-end", "RFC 9112 7.1"),
    ("lf after chunk", b"3\r\nabc\n0\r\n\r\n", "odd-chunk-end", "RFC 9112 7.1"),
    ("cr after chunk", b"3\r\nabc\r0\r\n\r\n", "odd-chunk-end", "RFC 9112 7.1"),
    ("trailer without colon", b"0\r\nabc\r\n\r\n", "odd-name", "RFC 9110 5.1"),
    ("trailer folded", b"0\r\nX: a\r\n b\r\n\r\n", "odd-name", "RFC 9110 5.1"),
    ("trailer with lf", b"0\r\nX: a\n\r\n", "bare-lf", "RFC 9112 2.2"),
    ("trailer with nul", b"0\r\nX: \x00\r\n\r\n", "control-byte", "RFC 9110 5.5"),
    ("end by lf", b"0\r\n\n", "bare-lf", "RFC 9112 2.2"),
    ("end by cr", b"0\r\n\rG", "bare-cr", "RFC 9112 2.2"),
    ("endless trailers", b"0\r\n" + b"X: y\r\n" * 1400, "trailers-too-long", "RFC 9112 7.1.2"),
    ("endless trailer", b"0\r\nX: " + b"y" * 8192, "trailers-too-long", "RFC 9112 7.1.2"),
    ("more than the route takes", b"8\r\nabcdefgh\r\n7fffffffffffffff\r\n", "body-too-large", "RFC 9110 15.5.14"),
)


def damaged(good: st.SearchStrategy[bytes], pieces: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Good bytes with one place changed: some taken out, something else put in. Most of what breaks a reader is nearly right."""

    def damage(data: bytes, at: int, out: int, piece: bytes) -> bytes:
        at %= len(data) + 1
        return data[:at] + piece + data[at + out :]

    return st.builds(damage, good, st.integers(0, 500), st.integers(0, 3), pieces)
