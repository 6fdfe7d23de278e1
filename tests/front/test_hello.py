"""The ClientHello reader: what real clients say, every way to cut it, and whatever else may come."""

from __future__ import annotations

import contextlib
import os
import random
import ssl

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.hello import MAX_HELLO, Hello, Refused, read_hello

LONG = os.environ.get("HSADMIN_LONG") == "1"


def hello(
    name: str | None = "hs.example", alpn: tuple[str, ...] = ("h2", "http/1.1"), newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> bytes:
    """As OpenSSL's client says it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = newest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def record(payload: bytes, *, kind: int = 22, version: int = 0x0301) -> bytes:
    return bytes((kind,)) + version.to_bytes(2, "big") + len(payload).to_bytes(2, "big") + payload


def in_records(whole: bytes, size: int) -> bytes:
    """The same hello in records of `size` bytes."""
    message = whole[5:]
    return b"".join(record(message[at : at + size]) for at in range(0, len(message), size))


def message(extensions: bytes | None, *, session: bytes = b"", suites: bytes = b"\x13\x01") -> bytes:
    body = b"\x03\x03" + bytes(32) + bytes((len(session),)) + session + len(suites).to_bytes(2, "big") + suites + b"\x01\x00"
    if extensions is not None:
        body += len(extensions).to_bytes(2, "big") + extensions
    return record(b"\x01" + len(body).to_bytes(3, "big") + body)


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


def names(*entries: tuple[int, bytes]) -> bytes:
    listed = b"".join(bytes((kind,)) + len(name).to_bytes(2, "big") + name for kind, name in entries)
    return extension(0, len(listed).to_bytes(2, "big") + listed)


WHOLE = hello()
SNI = names((0, b"hs.example"))


class ReadTests(SynchronousTestCase):
    def test_what_clients_say(self) -> None:
        for name, alpn in (("hs.example", ("h2", "http/1.1")), ("HS.Example", ()), (None, ("acme-tls/1",)), (None, ())):
            for newest in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
                expected = Hello(name and name.lower(), alpn)
                self.assertEqual(read_hello(hello(name, alpn, newest)), expected)
                self.assertEqual(read_hello(hello(name, alpn, newest) + b"whatever follows"), expected)

    def test_no_extensions_at_all(self) -> None:
        self.assertEqual(read_hello(message(None)), Hello(None, ()))

    def test_protocols_need_not_be_text(self) -> None:
        self.assertEqual(read_hello(message(extension(16, b"\x00\x04\x03\xff\n\x00"))), Hello(None, ("\xff\n\x00",)))

    def test_names_that_are_none(self) -> None:
        for entries in ((1, b"hs.example"),), ((0, b"\xff\xfe"),), ((0, b""),), ((0, b"a b"),), ((0, b"x" * 300),), ((0, b"-x"),):
            self.assertEqual(read_hello(message(names(*entries))), Hello(None, ()), msg=repr(entries))

    def test_every_beginning_asks_for_more(self) -> None:
        for whole in (WHOLE, in_records(WHOLE, 100), in_records(WHOLE, 9)):
            for size in range(len(whole)):
                need = read_hello(whole[:size])
                assert isinstance(need, int), size
                self.assertTrue(size < need <= len(whole), msg=f"{need} at {size}")
            self.assertEqual(read_hello(whole), Hello("hs.example", ("h2", "http/1.1")))

    def test_who_waits_for_what_is_asked_waits_seldom(self) -> None:
        have, looks = 0, 0
        while isinstance(need := read_hello(WHOLE[:have]), int):
            have, looks = need, looks + 1
        self.assertLessEqual(looks, 3)

    def test_refusals(self) -> None:
        long = 70_000
        for rule, data in (
            ("not-tls", b"GET / HTTP/1.1\r\n"),
            ("not-tls", b"\x15\x03\x01\x00\x02\x01\x00"),
            ("not-tls", record(WHOLE[5:105]) + b"\x17\x03\x01"),
            ("odd-version", b"\x16\x02\x00"),
            ("odd-record", b"\x16\x03\x01\x00\x00"),
            ("odd-record", b"\x16\x03\x01\x40\x01"),
            ("no-hello", record(b"\x02")),
            ("hello-too-large", record(b"\x01" + long.to_bytes(3, "big"))),
            ("hello-in-crumbs", in_records(WHOLE, 1)),
            ("odd-length", record(b"\x01\x00\x00\x00")),
            ("odd-length", record(b"\x01\x00\x00\x22" + bytes(34))),
            ("odd-length", message(b"\x00")),
            ("odd-length", message(b"\x00\x10\x00\x05\x00")),
            ("odd-length", message(extension(16, b"\x00\x09\x02h2"))),
            ("odd-length", message(extension(16, b"\x00\x03\x05h2"))),
            ("odd-length", message(extension(0, b"\x00\x05\x00\x00\x09ab"))),
            ("odd-length", message(extension(0, b""))),
            ("repeated-extension", message(SNI + SNI)),
        ):
            with self.assertRaises(Refused, msg=rule) as caught:
                read_hello(data)
            self.assertEqual(caught.exception.rule, rule, msg=repr(data[:40]))

    def test_nothing_beyond_the_limit_is_waited_for(self) -> None:
        """Record headers count, so a hello just below the limit does not fit."""
        whole = record(b"\x01" + (MAX_HELLO - 4).to_bytes(3, "big") + bytes(16_000)) + record(bytes(16_000)) * 3
        self.assertLessEqual(len(whole), MAX_HELLO)
        with self.assertRaises(Refused) as caught:
            read_hello(whole + record(bytes(16_000))[: MAX_HELLO - len(whole)])
        self.assertEqual(caught.exception.rule, "hello-too-large")

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.binary(max_size=200))
    def test_anything_is_an_answer(self, data: bytes) -> None:
        answers(self, data)

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(st.binary(max_size=120))
    def test_any_extensions_are_an_answer(self, data: bytes) -> None:
        answers(self, message(data))

    def test_mutations_of_real_ones(self) -> None:
        chance = random.Random(4)
        seeds = [WHOLE, hello(None, ()), hello("a" * 60 + ".example", newest=ssl.TLSVersion.TLSv1_2), in_records(WHOLE, 70), message(SNI)]
        outcomes = {"hello": 0, "more": 0, "refused": 0}
        for _ in range(1_000_000 if LONG else 20_000):
            data = bytearray(chance.choice(seeds))
            for _ in range(chance.choice((1, 1, 2, 5))):
                at = chance.randrange(len(data))
                match chance.randrange(5):
                    case 0:
                        data[at] = chance.randrange(256)
                    case 1:
                        data[at] ^= 1 << chance.randrange(8)
                    case 2:
                        del data[at : at + chance.randrange(1, 9)]
                    case 3:
                        data[at:at] = chance.randbytes(chance.randrange(1, 9))
                    case 4:
                        del data[at + 1 :]
                if not data:
                    break
            outcomes[answers(self, bytes(data))] += 1
        self.assertTrue(all(outcomes.values()), msg=outcomes)


def answers(test: SynchronousTestCase, data: bytes) -> str:
    """Which of the three outcomes; anything else fails."""
    try:
        found = read_hello(data)
    except Refused:
        return "refused"
    if isinstance(found, int):
        test.assertTrue(len(data) < found <= MAX_HELLO)
        return "more"
    return "hello"
