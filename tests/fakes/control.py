"""A Tailscale client without tailscaled: registers a node and holds its map stream, with any host information. Good for hundreds of online nodes.

Inside the Noise connection the server sends `ff ff ff 54 53`, a length and JSON with a challenge, then speaks HTTP/2, of which the few frames needed
are written here. POST /machine/register answers JSON; POST /machine/map streams messages of a little-endian u32 length and JSON each.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.fakes.noise import VERSION, Noise, Server

DATA, HEADERS, RESET, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
STATIC_STATUS = {0x88: 200, 0x89: 204, 0x8C: 400, 0x8D: 404, 0x8E: 500}


class Http2:
    """As much HTTP/2 as one client that sends one request at a time needs."""

    def __init__(self, noise: Noise) -> None:
        self._noise = noise
        magic = noise.read(9)
        assert magic[:5] == b"\xff\xff\xffTS", magic
        noise.read(struct.unpack(">I", magic[5:])[0])
        noise.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0, b""))
        self._next_stream = 1

    def request(self, path: str, body: Mapping[str, Any]) -> Iterator[bytes]:
        """POSTs JSON and yields the answer's data as it comes; raises AssertionError on a status other than 200."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        fields = ((":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "control"))
        self._noise.send(
            _frame(HEADERS, END_HEADERS, stream, b"".join(_literal(name, value) for name, value in fields))
            + _frame(DATA, END_STREAM, stream, json.dumps(body).encode())
        )
        return self._answer(stream, path)

    def _answer(self, stream: int, path: str) -> Iterator[bytes]:
        while True:
            kind, flags, on, payload = self._read_frame()
            if kind == SETTINGS and not flags & ACK:
                self._noise.send(_frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                self._noise.send(_frame(PING, ACK, 0, payload))
            elif on == stream and kind == HEADERS:
                status = STATIC_STATUS.get(payload[0], 0)
                assert status == 200, f"{path} was answered {status or payload[:16]!r}"
            elif on == stream and kind == DATA:
                if payload:
                    grown = struct.pack(">I", len(payload))
                    self._noise.send(_frame(WINDOW_UPDATE, 0, 0, grown) + _frame(WINDOW_UPDATE, 0, stream, grown))
                    yield payload
            elif on == stream and kind == RESET:
                return
            if on == stream and kind in (DATA, HEADERS) and flags & END_STREAM:
                return

    def _read_frame(self) -> tuple[int, int, int, bytes]:
        head = self._noise.read(9)
        return head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, self._noise.read(int.from_bytes(head[:3], "big"))


class Node:
    """One device: its machine and node keys outlive connections."""

    def __init__(self, server: Server, name: str, *, routes: Sequence[str] = (), tags: Sequence[str] = (), **host: Any) -> None:
        self.server = server
        self.machine = X25519PrivateKey.generate()
        self.node_key = f"nodekey:{os.urandom(32).hex()}"
        self.disco_key = f"discokey:{os.urandom(32).hex()}"
        self.host = {
            "Hostname": name,
            "OS": "linux",
            "IPNVersion": "1.98.9",
            "RoutableIPs": list(routes),
            "RequestTags": list(tags),
            "NetInfo": {"PreferredDERP": 999},
            **host,
        }
        self._noise: Noise | None = None
        self._updates: Iterator[bytes] = iter(())
        self._pending = b""

    def register(self, server_key: bytes, auth_key: str = "") -> dict[str, Any]:
        """The server's answer; without an auth key its AuthURL says where a person has to approve. Leaves the connection open for `stream`."""
        asked: dict[str, Any] = {"Version": VERSION, "NodeKey": self.node_key, "Hostinfo": self.host}
        if auth_key:
            asked["Auth"] = {"AuthKey": auth_key}
        answer: dict[str, Any] = json.loads(b"".join(self._connect(server_key).request("/machine/register", asked)))
        return answer

    def stream(self, server_key: bytes) -> dict[str, Any]:
        """Connects anew, opens the map stream and returns its first message: the node is online from here on."""
        self._updates = self._connect(server_key).request(
            "/machine/map",
            {
                "Version": VERSION,
                "KeepAlive": True,
                "Stream": True,
                "NodeKey": self.node_key,
                "DiscoKey": self.disco_key,
                "Hostinfo": self.host,
                "Endpoints": ["192.0.2.1:41641"],
                "EndpointTypes": [1],
            },
        )
        self._pending = b""
        return self.next_message()

    def next_message(self) -> dict[str, Any]:
        """The next map message. Raises EOFError when the stream has ended."""
        while len(self._pending) < 4 or len(self._pending) < 4 + struct.unpack("<I", self._pending[:4])[0]:
            data = next(self._updates, None)
            if data is None:
                raise EOFError
            self._pending += data
        length = struct.unpack("<I", self._pending[:4])[0]
        message, self._pending = self._pending[4 : 4 + length], self._pending[4 + length :]
        return dict(json.loads(message))

    def wait_for_end(self) -> None:
        """Reads on until the stream ends, however it does."""
        try:
            while True:
                self.next_message()
        except (EOFError, OSError):
            return

    def close(self) -> None:
        if self._noise is not None:
            self._noise.close()
            self._noise = None

    def _connect(self, server_key: bytes) -> Http2:
        self.close()
        self._noise = Noise(self.server, self.machine, server_key)
        return Http2(self._noise)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _literal(name: str, value: str) -> bytes:
    """HPACK's "literal field without indexing, new name"; strings here are shorter than 127 bytes, so a length is one byte."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
