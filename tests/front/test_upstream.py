"""The pool: what may rest, for how long, and what never comes back."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.memory import MemoryFront, MemoryTransport, answer, request, switching, upgrade
from tests.fakes.upstream import answers_early_and_twice, answers_twice, dies_before_first_byte, half_answer
from tests.front.case import BODY, KEY, FrontCase, on_both

WINDOWS = request("/windows")
SAVE = "/admin/api/settings"


class PoolTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = MemoryFront()
        self.visitor = self.house.visit()

    def exchange(self, said: bytes = b"", *, asked: bytes = KEY) -> MemoryTransport:
        """One request on a fresh connection; that connection."""
        self.visitor.say(asked)
        upstream = self.house.upstream()
        upstream.say(said or answer())
        upstream.clear()
        self.visitor.clear()
        return upstream

    def test_a_clean_one_is_used_again(self) -> None:
        upstream = self.exchange()
        self.visitor.say(WINDOWS)
        self.assertEqual(self.house.dials(), [])
        self.assertTrue(upstream.written.startswith(b"GET /windows"))

    def test_the_last_one_to_rest_is_the_first_to_work(self) -> None:
        others = [self.house.visit() for _ in range(2)]
        for visitor in others:
            visitor.say(KEY)
        first, second = map(self.house.accept, self.house.dials())
        first.say(answer())
        second.say(answer())
        second.clear()
        self.visitor.say(WINDOWS)
        self.assertTrue(second.written.startswith(b"GET /windows"))

    def test_what_does_not_rest(self) -> None:
        for name, said in (
            ("the upstream closes", answer(b"x", "Connection: close")),
            ("HTTP/1.0", answer(b"x").replace(b"HTTP/1.1", b"HTTP/1.0")),
            ("more than the answer came", answer(b"x") + b"HTTP/1.1 200 OK\r\n"),
            ("more than its chunks came", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore"),
        ):
            upstream = self.exchange(said)
            self.assertTrue(upstream.aborted, msg=name)
            self.assertFalse(self.visitor.ended, msg=name)

    def test_it_rests_less_than_25_seconds(self) -> None:
        upstream = self.exchange()
        self.house.pass_time(23.5)
        self.assertFalse(upstream.aborted)
        self.house.pass_time(1.25)
        self.assertTrue(upstream.aborted)

    def test_a_byte_while_it_rests_ends_it(self) -> None:
        upstream = self.exchange()
        upstream.say(b"H")
        self.assertTrue(upstream.aborted)
        self.visitor.say(WINDOWS)
        self.assertEqual(len(self.house.dials()), 1)

    def test_a_byte_that_waits_in_the_kernel_ends_it_too(self) -> None:
        upstream = self.exchange()
        upstream.handle.waiting = True
        self.visitor.say(WINDOWS)
        self.assertTrue(upstream.aborted)
        self.assertEqual(upstream.written, b"")
        self.assertEqual(len(self.house.dials()), 1)

    def test_an_upgrade_has_a_connection_of_its_own(self) -> None:
        resting = self.exchange()
        self.visitor.say(upgrade())
        upstream = self.house.upstream()
        upstream.say(switching())
        self.visitor.say(b"!")
        self.assertTrue(upstream.written.endswith(b"!"))
        self.assertEqual(resting.written, b"")

    def test_a_request_answered_before_it_was_whole_spoils_its_connection(self) -> None:
        self.visitor.say(request(SAVE, "Content-Length: 4", method="PUT", body=b"ab"))
        upstream = self.house.upstream()
        upstream.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        self.visitor.say(b"cd")
        upstream.say(b"cd")
        self.assertTrue(upstream.aborted)
        self.assertTrue(self.visitor.written.endswith(b"abcd"))

    def test_one_more_try_for_what_has_no_body(self) -> None:
        upstream = self.exchange()
        self.visitor.say(WINDOWS)
        upstream.lose()
        again = self.house.upstream()
        self.assertTrue(again.written.startswith(b"GET /windows"))
        again.lose()
        said = self.visitor.written
        self.assertTrue(said.startswith(b"HTTP/1.1 503 "))
        self.assertIn(b"Retry-After: 1\r\n", said)
        self.assertEqual(self.house.dials(), [])

    def test_no_second_try(self) -> None:
        for name, asked, heard in (
            ("with a body", request(SAVE, "Content-Length: 1", method="PUT", body=b"x"), b""),
            ("after a byte of the answer", request(SAVE), b"H"),
        ):
            upstream = self.exchange(asked=request(SAVE))
            self.visitor.say(asked)
            if heard:
                upstream.say(heard)
            upstream.lose()
            self.assertTrue(self.visitor.written.startswith(b"HTTP/1.1 503 "), msg=name)
            self.assertEqual(self.house.dials(), [], msg=name)

    def test_nonsense_is_503_and_its_rule_counted(self) -> None:
        self.exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx")
        self.assertEqual(self.house.records[0].status, 503)
        self.assertEqual(self.house.counters["refused.upstream-several-lengths"], 1)

    def test_other_interim_answers_are_dropped(self) -> None:
        self.visitor.say(KEY)
        self.house.upstream().say(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(b"x"))
        said = self.visitor.written
        self.assertTrue(said.startswith(b"HTTP/1.1 200 "))
        self.assertNotIn(b"Link", said)

    def test_a_visitor_who_leaves_while_we_dial(self) -> None:
        self.visitor.say(KEY)
        (dial,) = self.house.dials()
        self.visitor.lose()
        self.assertIsNone(self.house.accept(dial).protocol)

    def test_the_console_may_be_away(self) -> None:
        self.visitor.say(request(SAVE))
        self.house.refuse()
        self.assertTrue(self.visitor.written.startswith(b"HTTP/1.1 503 "))


@on_both
class UpstreamFaultTests(FrontCase):
    async def test_early_answer_never_leaks_into_another_visitors_exchange(self) -> None:
        house = self.start()
        house.console.scripts[b"/admin/api/x"] = answers_early_and_twice
        house.console.scripts[b"/admin/api/mine"] = lambda connection, head: connection.say(b"mine")
        for _ in range(20):
            posting, other = await self.visit(), await self.visit()
            posting.say(request("/admin/api/x", "Content-Length: 8", method="POST", body=b"1234"))
            await posting.hears(b"early")
            posting.say(b"5678")
            other.say(request("/admin/api/mine"))
            heard = await other.hears(b"mine")
            self.assertNotIn(b"secret", heard)
            await posting.ends()
        self.assertNotIn(b"secret", bytes(posting.heard))

    async def test_a_second_answer_after_a_whole_request_is_nobodys(self) -> None:
        house = self.start()
        house.console.scripts[b"/admin/api/x"] = answers_twice
        house.console.scripts[b"/admin/api/mine"] = lambda connection, head: connection.say(b"mine")
        for _ in range(20):
            client = await self.visit()
            client.say(request("/admin/api/x") + request("/admin/api/mine"))
            self.assertNotIn(b"secret", await client.hears(b"mine"))

    async def test_dead_before_the_first_byte_is_503_never_502(self) -> None:
        house = self.start()
        house.headscale.scripts[b"/key"] = dies_before_first_byte
        client = await self.visit()
        client.say(KEY)
        heard = await client.hears(b"\r\n\r\n")
        self.assertIn(b" 503 ", heard)
        self.assertIn(b"Retry-After: 1\r\n", heard)

    async def test_a_pooled_connection_that_dies_unused_is_replaced_once(self) -> None:
        house = self.start()
        client = await self.visit()
        client.say(KEY)
        await client.hears(BODY)
        lived = house.headscale.connections[0]
        house.headscale.scripts[b"/key"] = lambda connection, head: (
            connection.wire.abortConnection() if connection is lived else connection.say(BODY)
        )
        client.say(KEY)
        await client.hears(BODY)
        self.assertEqual(house.front.counters()["upstream.retried"], 1)

    async def test_a_pooled_connection_that_was_closed_is_not_used(self) -> None:
        house = self.start()
        client = await self.visit()
        client.say(KEY)
        await client.hears(BODY)
        house.headscale.connections[0].wire.loseConnection()
        client.say(KEY)
        await client.hears(BODY)

    async def test_half_an_answer_closes_both(self) -> None:
        house = self.start()
        house.headscale.scripts[b"/key"] = half_answer
        client = await self.visit()
        client.say(KEY)
        await client.ends()
        self.assertEqual(house.records[0].note, "answer-cut")

    async def test_the_moment_of_a_crash_is_waited_out(self) -> None:
        house = self.start()
        port = house.headscale_port
        await house.headscale.stop()
        clients = [await self.visit() for _ in range(5)]
        for client in clients:
            client.say(KEY)
        await deferLater(reactor, 0.3)
        house.headscale.listen(port)
        for client in clients:
            self.assertIn(b" 200 ", await client.hears(BODY))
        self.assertEqual({record.status for record in house.records}, {200})
