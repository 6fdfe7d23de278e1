"""A visitor's connection, driven byte by byte and second by second: no sockets, no waiting."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.front.connection import KEEP, TRANSITIONS, State
from hsadmin.front.limits import FrontLimits, Rate
from tests.fakes.memory import MemoryFront, MemoryTransport, answer, request, switching, upgrade

KEY = request("/key?v=138")
EXPECTED_KEY = b"GET /key?v=138 HTTP/1.1\r\nHost: hs.example\r\n\r\n"


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1]) if said else 0


class TableTests(SynchronousTestCase):
    def test_every_state_is_reached_and_only_two_are_final(self) -> None:
        self.assertEqual(set(TRANSITIONS.values()) | {State.HANDSHAKE}, set(State))
        self.assertEqual(set(State) - {state for state, _ in TRANSITIONS}, {State.TUNNEL, State.GONE})

    def test_every_state_but_a_tunnel_can_be_lost(self) -> None:
        self.assertEqual({state for state, event in TRANSITIONS if event == "lost"}, set(State) - {State.TUNNEL, State.GONE})


class ExchangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = MemoryFront()

    def test_a_request_goes_upstream_and_its_answer_comes_back(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        upstream = self.house.upstream()
        self.assertEqual(upstream.written, EXPECTED_KEY)
        upstream.say(answer(b"{}", "Content-Type: application/json"))
        said = visitor.written
        self.assertTrue(said.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(said.endswith(b"\r\n\r\n{}"))
        self.assertFalse(visitor.ended)
        (record,) = self.house.records
        self.assertEqual((record.route, record.method, record.status, record.peer), ("key", "GET", 200, "198.51.100.7"))
        self.assertEqual((record.received, record.sent), (len(KEY), len(said)))

    def test_a_head_may_come_byte_by_byte(self) -> None:
        visitor = self.house.visit()
        for at in range(len(KEY)):
            self.assertEqual(self.house.dials(), [])
            visitor.say(KEY[at : at + 1])
        self.assertEqual(self.house.upstream().written, EXPECTED_KEY)

    def test_pipelined_requests_are_answered_in_order_and_one_at_a_time(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY + request("/robots.txt") + request("/windows"))
        upstream = self.house.upstream()
        self.assertEqual(upstream.written, EXPECTED_KEY)
        upstream.say(answer(b"one"))
        self.assertTrue(upstream.written.startswith(b"GET /windows "))
        upstream.say(answer(b"three"))
        said = visitor.written
        self.assertLess(said.index(b"one"), said.index(b"Disallow"))
        self.assertLess(said.index(b"Disallow"), said.index(b"three"))
        self.assertEqual([record.route for record in self.house.records], ["key", "robots", "windows"])

    def test_who_pipelines_too_much_is_not_read(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        visitor.say(b"G" * (KEEP + 1))
        self.assertTrue(visitor.paused)

    def test_who_reads_no_answers_gets_no_more_of_them(self) -> None:
        visitor = self.house.visit()
        visitor.clog()
        visitor.say(request("/robots.txt") * 3)
        self.assertEqual(visitor.written, b"")
        visitor.unclog()
        self.assertEqual(visitor.written.count(b"Disallow"), 3)

    def test_answers_without_a_body(self) -> None:
        for name, asked, said in (
            ("HEAD", request("/derp/probe", method="HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
            ("204", request("/derp/probe"), b"HTTP/1.1 204 No Content\r\n\r\n"),
            ("304", request("/admin/x"), b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ):
            house = MemoryFront()
            visitor = house.visit()
            visitor.say(asked + request("/robots.txt"))
            house.upstream().say(said)
            heard = visitor.written
            self.assertEqual(heard.count(b"HTTP/1.1 "), 2, msg=name)
            self.assertIn(b"\r\n\r\nHTTP/1.1 200 OK\r\n", heard, msg=name)

    def test_a_chunked_answer_is_chunked_anew(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        upstream = self.house.upstream()
        upstream.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00004;x=y\r\nabcd\r\n")
        said = visitor.written
        self.assertIn(b"Transfer-Encoding: chunked\r\n", said)
        self.assertTrue(said.endswith(b"\r\n\r\n4\r\nabcd\r\n"))
        upstream.say(b"0\r\nTrailer: dropped\r\n\r\n")
        self.assertEqual(visitor.written, b"0\r\n\r\n")
        self.assertFalse(visitor.ended)

    def test_an_answer_until_close_is_chunked_for_1_1_and_until_close_for_1_0(self) -> None:
        for version, chunked in ((b"1.1", True), (b"1.0", False)):
            visitor = self.house.visit()
            visitor.say(KEY.replace(b"1.1", version))
            upstream = self.house.upstream()
            upstream.say(b"HTTP/1.1 200 OK\r\n\r\nevent: a\n\n")
            self.assertTrue(visitor.written.endswith(b"a\r\nevent: a\n\n\r\n" if chunked else b"\r\n\r\nevent: a\n\n"))
            upstream.lose()
            self.assertEqual(visitor.written, b"0\r\n\r\n" if chunked else b"")
            self.assertEqual(visitor.half_closed, not chunked)

    def test_events_pass_one_by_one_and_have_no_limit_of_time(self) -> None:
        visitor = self.house.visit()
        visitor.say(request("/admin/api/events"))
        upstream = self.house.upstream()
        upstream.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        visitor.clear()
        for _ in range(5):
            self.house.pass_time(120, step=5)
            upstream.say(b"9\r\ndata: x\n\n\r\n")
            self.assertEqual(visitor.written, b"9\r\ndata: x\n\n\r\n")

    def test_bodies_go_upstream_in_our_framing(self) -> None:
        path = "/register/confirm/hskey-authreq-" + "a" * 24
        for fields, sent, expected in (
            ("Content-Length: 4", b"a=bc", b"Content-Length: 4\r\n\r\na=bc"),
            (
                "Transfer-Encoding: chunked",
                b"004;q=1\r\na=bc\r\n0\r\nX: y\r\n\r\n",
                b"Transfer-Encoding: chunked\r\n\r\n4\r\na=bc\r\n0\r\n\r\n",
            ),
        ):
            house = MemoryFront()
            visitor = house.visit()
            data = request(path, fields, method="POST", body=sent)
            visitor.say(data[:-3])
            upstream = house.upstream()
            visitor.say(data[-3:] + KEY)
            said = upstream.written
            self.assertTrue(said.replace(b"3\r\na=b\r\n1\r\nc\r\n", b"4\r\na=bc\r\n").endswith(expected), msg=said)
            upstream.say(answer(b"ok"))
            self.assertEqual(upstream.written, EXPECTED_KEY)  # the connection was clean, and is used again

    def test_continue_is_said_when_the_upstream_stands(self) -> None:
        visitor = self.house.visit()
        visitor.say(request("/admin/api/x", "Content-Length: 2", "Expect: 100-continue", method="POST"))
        self.assertEqual(visitor.written, b"")
        upstream = self.house.upstream()
        self.assertEqual(visitor.written, b"HTTP/1.1 100 Continue\r\n\r\n")
        upstream.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        visitor.say(b"ok")
        upstream.say(answer())
        self.assertEqual(status(visitor.written), 200)

    def test_too_large_a_body_is_413(self) -> None:
        path = "/register/confirm/hskey-authreq-" + "a" * 24
        visitor = self.house.visit()
        visitor.say(request(path, "Content-Length: 4097", "Expect: 100-continue", method="POST"))
        self.assertEqual(status(visitor.written), 413)
        self.assertTrue(visitor.half_closed)
        self.assertEqual(self.house.dials(), [])
        visitor = self.house.visit()
        visitor.say(request(path, "Transfer-Encoding: chunked", method="POST"))
        upstream = self.house.upstream()
        visitor.say(b"1001\r\n")
        self.assertEqual(status(visitor.written), 413)
        self.assertTrue(upstream.aborted)
        self.assertEqual(self.house.counters["refused.body-too-large"], 1)

    def test_an_answer_before_the_body_is_relayed_and_closes_both(self) -> None:
        visitor = self.house.visit()
        visitor.say(request("/admin/api/x", "Content-Length: 100", method="POST", body=b"half"))
        upstream = self.house.upstream()
        upstream.say(answer(b"enough"))
        said = visitor.written
        self.assertIn(b"Connection: close\r\n", said)
        self.assertTrue(said.endswith(b"enough"))
        self.assertTrue(visitor.half_closed)
        self.assertTrue(upstream.aborted)
        self.assertEqual(self.house.records[0].note, "answered-early")

    def test_an_answer_that_ends_early_closes_both(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        upstream = self.house.upstream()
        upstream.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        upstream.lose()
        self.assertTrue(visitor.aborted)
        self.assertEqual(self.house.counters["refused.answer-cut"], 1)

    def test_bad_bytes_are_refused_with_their_rule_and_closed(self) -> None:
        visitor = self.house.visit()
        visitor.say(b"GET / HTTP/1.1\nHost: x\n\n")
        self.assertEqual(status(visitor.written), 400)
        self.assertTrue(visitor.half_closed)
        self.assertEqual(self.house.counters["refused.bare-lf"], 1)
        (record,) = self.house.records
        self.assertEqual((record.route, record.note), ("malformed", "bare-lf"))

    def test_a_visitor_who_leaves_takes_his_request_along(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        upstream = self.house.upstream()
        visitor.lose()
        self.assertTrue(upstream.aborted)
        self.assertEqual(self.house.records[0].note, "visitor-ended")
        self.assertEqual(self.house.counters["connections.open"], 0)

    def test_back_pressure_both_ways(self) -> None:
        visitor = self.house.visit()
        visitor.say(request("/admin/api/x", "Content-Length: 100000", method="PUT"))
        upstream = self.house.upstream()
        upstream.clog()
        self.assertTrue(visitor.paused)
        upstream.unclog()
        self.assertFalse(visitor.paused)
        visitor.say(b"x" * 100000)
        upstream.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        visitor.clog()
        self.assertTrue(upstream.paused)
        visitor.unclog()
        self.assertFalse(upstream.paused)

    def test_the_client_behind_a_trusted_proxy(self) -> None:
        house = MemoryFront(trusted_proxies=(ip_network("192.0.2.0/24"),))
        visitor = house.visit("192.0.2.1")
        visitor.say(request("/robots.txt", "X-Forwarded-For: 203.0.113.9, 192.0.2.2"))
        self.assertEqual(house.records[0].peer, "203.0.113.9")

    def test_a_rate_limit_is_429(self) -> None:
        house = MemoryFront(FrontLimits(rates={"bootstrap-dns": Rate(1.0, 2.0)}))
        visitor, upstreams = house.visit(), list[MemoryTransport]()
        for expected in (200, 200, 429, 429):
            visitor.say(request("/bootstrap-dns"))
            for dial in house.dials():
                upstreams.append(house.accept(dial))
            if upstreams[0].written:
                upstreams[0].say(answer())
            self.assertEqual(status(visitor.written), expected)
        house.pass_time(1)
        visitor.say(request("/bootstrap-dns"))
        self.assertNotEqual(upstreams[0].written, b"")


class UpgradeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = MemoryFront()

    def test_not_one_byte_before_the_101_and_all_of_them_after(self) -> None:
        visitor = self.house.visit()
        visitor.say(upgrade("/ts2021", "tailscale-control-protocol", "X-Tailscale-Handshake: abc") + b"early")
        upstream = self.house.upstream()
        self.assertTrue(upstream.written.endswith(b"\r\n\r\n"))
        visitor.say(b" bird")
        self.assertEqual(upstream.written, b"")
        upstream.say(switching() + b"reply")
        self.assertEqual(upstream.written, b"early bird")
        said = visitor.written
        self.assertTrue(said.startswith(b"HTTP/1.1 101 "))
        self.assertIn(b"Upgrade: tailscale-control-protocol\r\n", said)
        self.assertTrue(said.endswith(b"\r\n\r\nreply"))

    def test_a_derp_fast_start_gets_no_101(self) -> None:
        visitor = self.house.visit()
        visitor.say(upgrade("/derp", "DERP", "Derp-Fast-Start: 1", method="GET") + b"info")
        upstream = self.house.upstream()
        head = upstream.written
        self.assertNotIn(b"Fast-Start", head)
        self.assertNotIn(b"info", head)
        upstream.say(switching("DERP") + b"serverkey")
        self.assertEqual(visitor.written, b"serverkey")
        self.assertEqual(upstream.written, b"info")

    def test_anything_else_is_relayed_and_closes(self) -> None:
        visitor = self.house.visit()
        visitor.say(upgrade() + request("/swagger"))
        upstream = self.house.upstream()
        upstream.clear()
        upstream.say(answer(b"bad handshake", status="400 Bad Request"))
        self.assertEqual(status(visitor.written), 400)
        self.assertTrue(visitor.half_closed)
        self.assertEqual(upstream.written, b"")
        self.assertTrue(upstream.aborted)

    def test_an_upstream_that_switches_to_something_else_is_not_believed(self) -> None:
        visitor = self.house.visit()
        visitor.say(upgrade() + b"secret")
        upstream = self.house.upstream()
        upstream.clear()
        upstream.say(switching("h2c"))
        self.assertEqual(status(visitor.written), 503)
        self.assertEqual(upstream.written, b"")

    def test_a_101_that_nobody_asked_for_is_not_believed(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        self.house.upstream().say(switching())
        self.assertEqual(status(visitor.written), 503)

    def test_early_bytes_are_bounded(self) -> None:
        visitor = self.house.visit()
        visitor.say(upgrade())
        upstream = self.house.upstream()
        visitor.say(b"x" * (KEEP + 1))
        self.assertTrue(visitor.paused)
        upstream.say(switching())
        self.assertFalse(visitor.paused)

    def test_an_upgrade_that_headscale_does_not_answer_in_time(self) -> None:
        visitor = self.house.visit()
        visitor.say(upgrade())
        upstream = self.house.upstream()
        self.house.pass_time(10.5)
        self.assertEqual(status(visitor.written), 504)
        self.assertTrue(upstream.aborted)


class DeadlineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = MemoryFront()

    def test_a_head_has_ten_seconds_from_the_start_however_it_trickles(self) -> None:
        visitor = self.house.visit()
        for byte in b"GET /key HT":
            visitor.say(bytes((byte,)))
            self.house.pass_time(1)
        self.assertEqual(status(visitor.written), 408)
        self.assertTrue(visitor.half_closed)
        self.assertEqual(self.house.counters["refused.slow-head"], 1)

    def test_who_says_nothing_is_closed_without_a_word(self) -> None:
        visitor = self.house.visit()
        self.house.pass_time(10.5)
        self.assertEqual(visitor.written, b"")
        self.assertTrue(visitor.half_closed)
        self.assertEqual(self.house.records, [])

    def test_between_requests_idle_then_head(self) -> None:
        visitor = self.house.visit()
        visitor.say(request("/robots.txt"))
        self.house.pass_time(29)
        visitor.say(b"G")
        self.house.pass_time(9)
        self.assertFalse(visitor.ended)
        self.house.pass_time(2)
        self.assertTrue(visitor.ended)
        visitor = self.house.visit()
        visitor.say(request("/robots.txt"))
        self.house.pass_time(30.5)
        self.assertTrue(visitor.ended)

    def test_a_body_may_not_rest(self) -> None:
        visitor = self.house.visit()
        visitor.say(request("/admin/api/x", "Content-Length: 10", method="POST"))
        upstream = self.house.upstream()
        for _ in range(4):
            visitor.say(b"x")
            self.house.pass_time(20)
            self.assertFalse(visitor.ended)
        self.house.pass_time(11)
        self.assertEqual(status(visitor.written), 408)
        self.assertTrue(upstream.aborted)

    def test_an_upstream_that_never_answers_is_504(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        self.house.upstream()
        self.house.pass_time(121, step=1)
        self.assertEqual(status(visitor.written), 504)

    def test_a_stalled_reader_is_cut(self) -> None:
        visitor = self.house.visit()
        visitor.say(KEY)
        upstream = self.house.upstream()
        upstream.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        visitor.clog()
        self.house.pass_time(91, step=1)
        self.assertTrue(visitor.aborted)
        self.assertTrue(upstream.aborted)
        self.assertEqual(self.house.counters["refused.stalled-reader"], 1)

    def test_who_does_not_close_when_we_have_is_cut(self) -> None:
        visitor = self.house.visit()
        visitor.say(b"bad\r\n")
        self.assertEqual((visitor.half_closed, visitor.aborted), (True, False))
        self.house.pass_time(5.5)
        self.assertTrue(visitor.aborted)

    def test_no_timer_is_left_when_everybody_is_gone(self) -> None:
        visitor = self.house.visit()
        visitor.say(request("/robots.txt"))
        visitor.lose()
        self.assertEqual(self.house.reactor.getDelayedCalls(), [])
