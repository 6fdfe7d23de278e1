"""TLS on our own sockets: what is decided before OpenSSL takes over, and how bytes pass when it has."""

from __future__ import annotations

import itertools
import socket
import ssl
import tempfile
import time
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from hsadmin.front.limits import FrontLimits
from hsadmin.front.loop import BUFFER
from hsadmin.front.stock import Stock
from hsadmin.front.tlswire import DECODE_ERROR, RECORD, TLSWire
from tests.fakes.callers import call, call_tls, careless, client_hello, hear, hear_all, renegotiate, tunnel
from tests.fakes.front import LoopbackFront
from tests.fakes.memory import request
from tests.fakes.upstream import REPLY
from tests.fakes.visitors import eventually
from tests.front.case import BODY, KEY, TS2021, FrontCase, on_both

HELLO = client_hello()


@on_both
class BadBeginningTests(FrontCase):
    """What a client may do wrong before a request, and what comes of it."""

    tls = True

    async def begin(self, data: bytes, *, end: bool = False) -> bytes:
        """All that a client hears who says `data` and waits."""

        def ask() -> bytes:
            with call(self.house.port) as sock:
                sock.sendall(data)
                if end:
                    sock.shutdown(socket.SHUT_WR)
                try:
                    return hear_all(sock)
                except ConnectionResetError:
                    return b"reset"

        return await deferToThread(ask)

    @staticmethod
    def empty(house: LoopbackFront) -> bool:
        return house.front.counters()["connections.open"] == 0

    async def test_outcomes(self) -> None:
        limit = FrontLimits(handshake=1.0, linger=1.0)
        own = self.carrier is not Stock
        for name, data, heard, word in (
            ("nothing", b"", (b"", b"reset"), "slow-handshake"),
            ("half a hello", HELLO[:60], (b"", b"reset"), "slow-handshake"),
            ("a hello and silence", HELLO, None, "slow-handshake"),
            ("noise", b"\x00\x01\x02\x03" * 8, (DECODE_ERROR,) if own else None, "handshake"),
            ("a broken hello", HELLO[:60] + bytes(len(HELLO) - 60), None, "handshake"),
        ):
            house = self.start(limits=limit)
            found = await self.begin(data)
            if heard is not None:
                self.assertIn(found, heard, msg=name)
            await eventually(reactor, partial(self.empty, house))
            self.assertEqual(house.front.counters().get(f"refused.{word}"), 1, msg=name)
            self.assertEqual(house.headscale.connections, [], msg=name)

    async def test_an_end_in_the_middle_of_a_hello(self) -> None:
        self.start()
        for size in (0, 3, 60):
            began = time.monotonic()
            await self.begin(HELLO[:size], end=True)
            self.assertLess(time.monotonic() - began, 5, msg="told by the end, not by the deadline")

    async def test_old_versions_are_told_so(self) -> None:
        house = self.start()
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = careless(version)
            context.minimum_version = version
            with self.assertRaisesRegex(ssl.SSLError, "protocol version|PROTOCOL_VERSION"):
                await deferToThread(context.wrap_socket, call(house.port), server_hostname="hs.example")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with await deferToThread(call_tls, house.port, newest=version) as sock:
                self.assertEqual(sock.version(), version.name.replace("_", "."))

    async def test_no_second_handshake(self) -> None:
        self.assertFalse(await deferToThread(renegotiate, self.start().port))

    async def test_a_hello_byte_by_byte(self) -> None:
        """And everything else of the handshake and of a request: each byte in a segment of its own."""
        house = self.start()

        def ask() -> bytes:
            out, into = ssl.MemoryBIO(), ssl.MemoryBIO()
            talk = careless().wrap_bio(into, out, server_hostname="hs.example")
            heard = b""
            with call(house.port) as sock:

                def pass_on() -> None:
                    for byte in out.read():
                        sock.send(bytes((byte,)))

                while True:
                    try:
                        talk.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        pass_on()
                        into.write(sock.recv(65536))
                talk.write(KEY)
                pass_on()
                while BODY not in heard:
                    try:
                        heard += talk.read(65536)
                    except ssl.SSLWantReadError:
                        into.write(sock.recv(65536))
            return heard

        self.assertIn(b" 200 ", await deferToThread(ask))


class PeekTests(FrontCase):
    """What only our own transports do."""

    tls = True

    async def test_half_a_hello_costs_no_wake_ups(self) -> None:
        house = self.start()
        told = 0
        event = TLSWire.event

        def counted(wire: TLSWire, events: int) -> None:
            nonlocal told
            told += 1
            event(wire, events)

        self.patch(TLSWire, "event", counted)
        turns = 0
        loop: Any = house.front._carrier._ground.loop  # type: ignore[attr-defined]  # the reactor's view of it
        do_read = loop.doRead

        def turned() -> None:
            nonlocal turns
            turns += 1
            do_read()

        loop.doRead = turned
        with call(house.port) as sock:
            sock.sendall(HELLO[: len(HELLO) // 2])
            await deferLater(reactor, 5.0)
            self.assertLess(told, 20)
            self.assertLess(turns, 20)
            sock.sendall(HELLO[len(HELLO) // 2 :])
            self.assertTrue((await deferToThread(sock.recv, 5)).startswith(b"\x16\x03\x03"))

    async def test_the_same_on_a_unix_socket(self) -> None:
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as sock:
            house = self.start(public=f"unix:{folder}/s")
            told: list[int] = []
            event = TLSWire.event

            def noted(wire: TLSWire, events: int) -> None:
                told.append(events)
                event(wire, events)

            self.patch(TLSWire, "event", noted)
            sock.connect(f"{folder}/s")
            sock.sendall(HELLO[:100])
            await deferLater(reactor, 0.5)
            self.assertLess(len(told), 5)
            sock.sendall(HELLO[100:])
            self.assertTrue((await deferToThread(sock.recv, 5)).startswith(b"\x16\x03\x03"))
            await house.front.stopService()

    async def test_plain_http_gets_an_answer_a_person_can_read(self) -> None:
        house = self.start()

        def ask() -> bytes:
            with call(house.port) as sock:
                sock.sendall(KEY)
                return hear_all(sock)

        heard = await deferToThread(ask)
        self.assertTrue(heard.startswith(b"HTTP/1.1 400 "))
        self.assertTrue(heard.endswith(b"This port speaks TLS: write https:// at the front of the address.\n"))
        self.assertIn(b"Connection: close\r\n", heard)
        await eventually(reactor, lambda: house.front.counters().get("refused.handshake") == 1)

    async def test_the_hello_chooses_the_certificate(self) -> None:
        house = self.start()
        assert house.certificates is not None
        for name in ("HS.example", "other.example", None):
            (await deferToThread(call_tls, house.port, name=name)).close()
        self.assertEqual([asked[0] for asked in house.certificates.asked], ["hs.example", "other.example", None])


class SegmentTests(FrontCase):
    """Any bytes in any pieces, through real TLS and back."""

    tls = True
    timeout = 120

    async def test_a_tunnel_gives_back_what_it_got(self) -> None:
        house = self.start()
        house.headscale.remember = False
        pieces = st.lists(st.one_of(st.integers(1, 40), st.integers(16_000, 17_000), st.integers(1, 200_000)), min_size=1, max_size=8)

        def ask() -> None:
            with tunnel(house.port, tls=True) as sock:

                @settings(max_examples=60, deadline=None, derandomize=True, database=None)
                @given(pieces, st.integers(0, 255))
                def echoed(sizes: list[int], start: int) -> None:
                    for size in sizes:
                        data = bytes((start + at) % 251 for at in range(min(size, 997))) * (size // 997 + 1)
                        sock.sendall(data)
                        back = b""
                        while len(back) < len(data):
                            more = sock.recv(65536)
                            assert more
                            back += more
                        assert back == data

                echoed()

        await deferToThread(ask)

    async def test_requests_cut_anywhere(self) -> None:
        house = self.start()
        data = KEY + request("/robots.txt") + TS2021 + b"early"

        def ask() -> None:
            @settings(max_examples=40, deadline=None, derandomize=True, database=None)
            @given(st.lists(st.integers(0, len(data)), max_size=6))
            def answered(cuts: list[int]) -> None:
                edges = [0, *sorted(cuts), len(data)]
                with call_tls(house.port) as sock:
                    for start, end in itertools.pairwise(edges):
                        if start < end:
                            sock.sendall(data[start:end])
                    heard = hear(sock, b"early")
                assert heard.count(BODY) == 1
                assert heard.count(b"Disallow") == 1
                assert heard.endswith(REPLY + b"early")

            answered()

        await deferToThread(ask)

    async def test_many_small_records_come_in_few_pieces(self) -> None:
        house = self.start()
        pieces: list[int] = []
        with await deferToThread(tunnel, house.port, tls=True) as sock:
            (one,) = house.front._house.tunnels.values()
            received = one.upstream.write
            one_upstream: Any = one.upstream

            class Counting:
                def __getattr__(self, name: str) -> Any:
                    return getattr(one_upstream, name)

                def write(self, data: bytes) -> None:
                    pieces.append(len(data))
                    received(data)

            one.upstream = Counting()  # type: ignore[assignment]  # all else goes to the real one
            for _ in range(400):
                sock.send(bytes(1000))
            await deferToThread(_hear_count, sock, 400_000)
        self.assertEqual(sum(pieces), 400_000)
        self.assertLess(len(pieces), 100)
        self.assertGreater(max(pieces), RECORD)


class StallTests(FrontCase):
    tls = True

    async def test_a_stalled_reader_holds_less_than_100_kib(self) -> None:
        house = self.start()
        with await deferToThread(tunnel, house.port, tls=True):
            upstream = house.headscale.connections[0].wire
            upstream.write(bytes(16 * 1024 * 1024))
            (one,) = house.front._house.tunnels.values()
            await eventually(reactor, lambda: one.visitor.is_blocked)
            await deferLater(reactor, 0.3)
            held = len(one.visitor._out)  # type: ignore[attr-defined]  # ours
            self.assertLessEqual(held, BUFFER)
            self.assertLess(held + RECORD, 100 * 1024)  # and at most one record inside OpenSSL


def _hear_count(sock: socket.socket, count: int) -> None:
    while count:
        count -= len(sock.recv(65536))
