"""What a head costs: microseconds to parse, decide and rewrite, best of several rounds.

python contrib/bench/heads.py
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

from hsadmin.front.allow import Allow, Console
from hsadmin.front.body import ChunkedBody
from hsadmin.front.head import parse_request, parse_response

GET = (
    b"GET /key?v=138 HTTP/1.1\r\nHost: tailnet.example.com\r\nUser-Agent: Go-http-client/1.1\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n"
)
UPGRADE = (
    b"POST /ts2021 HTTP/1.1\r\nHost: tailnet.example.com\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 0\r\n"
    b"Connection: upgrade\r\nUpgrade: tailscale-control-protocol\r\nX-Tailscale-Handshake: " + b"A" * 136 + b"\r\n\r\n"
)
BROWSER = (
    b"GET /admin/api/status HTTP/1.1\r\nHost: tailnet.example.com\r\nConnection: keep-alive\r\nsec-ch-ua-platform: Linux\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36\r\n"
    b"Accept: application/json\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
    b"Referer: https://tailnet.example.com/admin\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n"
    b"Cookie: __Host-hsadmin=" + b"c" * 64 + b"\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
    b"Date: Mon, 23 Nov 2026 18:59:38 GMT\r\nContent-Length: 176\r\n\r\n"
)
CHUNK = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"


def microseconds(work: Callable[[], object]) -> float:
    rounds = 20_000
    return min(timeit.repeat(work, number=rounds, repeat=7)) / rounds * 1e6


def main() -> None:
    allow = Allow(hosts=frozenset((b"tailnet.example.com",)), console=Console(open=True), own_origin=b"https://tailnet.example.com")
    client = ip_address("203.0.113.9")
    for name, data in (("GET /key", GET), ("POST /ts2021", UPGRADE), ("browser", BROWSER)):
        head = parse_request(data)
        response = parse_response(ANSWER, to_head_request=False)
        assert head is not None and response is not None
        decision = allow.decide(head, client)
        host = head.values[b"host"]
        parse = microseconds(partial(parse_request, data))
        decide = microseconds(partial(allow.decide, head, client))
        up = microseconds(partial(allow.upstream_head, decision, head, client="203.0.113.9", scheme="https", host=host))
        down = microseconds(partial(allow.downstream_head, decision, head, response, tls=True, hsts=True))
        print(f"{name:14} {len(data):4} bytes  parse {parse:5.2f}  decide {decide:5.2f}  upstream {up:5.2f}  downstream {down:5.2f} us")
    print(f"{'answer':14} {len(ANSWER):4} bytes  parse {microseconds(partial(parse_response, ANSWER, to_head_request=False)):5.2f} us")
    chunk = microseconds(lambda: ChunkedBody().feed(CHUNK))
    print(f"{'chunk':14} {len(CHUNK):4} bytes  decode {chunk:5.2f} us")


if __name__ == "__main__":
    main()
