"""Frames on the control pipe: whatever is said arrives, however it is cut, and nothing else is taken for it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front import wire
from hsadmin.front.allow import Allow
from hsadmin.front.limits import FrontLimits
from hsadmin.front.terms import ConsoleTerms, Terms
from hsadmin.front.wire import Begin, Certificate, CloseTunnels, Done, Door, Heard, Report, Said, Standing, Stop, Up, WireFault, frame
from hsadmin.model.front import AccessRecord, OpenStream

TERMS = Terms(
    hosts=frozenset((b"hs.example", b"[::1]")),
    own_origin=b"https://hs.example",
    public_url="https://hs.example",
    console=ConsoleTerms(open=True, from_networks=("10.0.0.0/8", "2001:db8::/32")),
    console_socket="/run/console.sock",
    limits=FrontLimits(total=101, parked=4095, pooled=1),
    trusted_proxies=("192.0.2.0/24",),
)
RECORD = AccessRecord(route="key", method="GET", status=200, received=1, sent=2, seconds=0.25, peer="192.0.2.1", note="slow-head")
STREAM = OpenStream(id=1 << 32, route="derp", peer="2001:db8::1", since=1.5, received=2**40, sent=0)
ORDERS = (
    Begin(number=1, doors=(Door(fd=5, tls=True, purpose="public", address="[::]:443"),), terms=TERMS, first_id=1 << 32, access=True),
    Certificate(number=2, chain=b"chain", key=b"\0key\xff", publicly_trusted=True, summary="é"),
    Standing(number=3, parked=True, ready=False, sentence="It starts.", host="127.0.0.1", port=8080),
    CloseTunnels(number=4),
    Stop(number=5),
    Heard(report=6),
)
TALES = (
    Up(),
    Done(number=1),
    Report(number=1, counts={"a.b": 2**60}, now={}, records=[RECORD], opened=[STREAM], closed=[7], moved=[(1, 2, 3)]),
    Said(level="warn", namespace="hsadmin.front", text="two\nlines"),
)


class FrameTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_cut_anywhere_it_is_the_same(self, data: st.DataObject) -> None:
        for unframe, messages in ((wire.orders(), ORDERS), (wire.tales(), TALES)):
            whole = b"".join(map(frame, messages))
            cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
            pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
            self.assertEqual([message for piece in pieces for message in unframe.feed(piece)], list(messages))

    def test_byte_by_byte(self) -> None:
        unframe = wire.tales()
        heard = [tale for byte in b"".join(map(frame, TALES)) for tale in unframe.feed(bytes((byte,)))]
        self.assertEqual(heard, list(TALES))

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=200))
    def test_anything_else_is_a_fault_or_not_whole_yet(self, data: bytes) -> None:
        for unframe in (wire.orders(), wire.tales()):
            try:
                list(unframe.feed(len(data).to_bytes(4, "big") + data))
            except WireFault:
                continue

    def test_faults(self) -> None:
        for what, data in (
            ("a frame that would never end", b"\xff\xff\xff\xff"),
            ("no MessagePack", b"\0\0\0\x01\xc1"),
            ("the other side's words", frame(Up())),
            ("an empty frame", b"\0\0\0\0"),
        ):
            with self.assertRaises(WireFault, msg=what):
                list(wire.orders().feed(data))

    def test_what_came_before_a_fault_was_heard(self) -> None:
        heard = []
        with self.assertRaises(WireFault):
            for order in wire.orders().feed(frame(ORDERS[3]) + frame(Up())):
                heard.append(order)
        self.assertEqual(heard, [ORDERS[3]])


class TermsTests(SynchronousTestCase):
    def test_they_make_the_same_rules_on_the_other_side(self) -> None:
        (begin,) = wire.orders().feed(frame(ORDERS[0]))
        assert isinstance(begin, Begin)
        self.assertEqual(begin.terms, TERMS)
        self.assertIsInstance(begin.terms.allow(), Allow)
        self.assertEqual([str(network) for network in begin.terms.proxies()], ["192.0.2.0/24"])

    def test_shares_are_rounded_up_and_what_counts_per_source_is_whole(self) -> None:
        limits = TERMS.share(2).limits
        self.assertEqual((limits.total, limits.parked, limits.pooled, limits.per_source), (51, 2048, 1, TERMS.limits.per_source))
        self.assertEqual(TERMS.share(1), TERMS)
