"""The same loopback ports at every start, others only for those that somebody took."""

from __future__ import annotations

import socket
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.ports import HOST, Transport, candidates, choose, ephemeral_range, is_free
from hsadmin.errors import NoFreePort

WANTED = {"listen_addr": Transport.TCP, "metrics_listen_addr": Transport.TCP, "derp.server.stun_listen_addr": Transport.UDP}
KEPT = {"listen_addr": f"{HOST}:21001", "metrics_listen_addr": f"{HOST}:21002", "derp.server.stun_listen_addr": f"{HOST}:21003"}


class Choosing(SynchronousTestCase):
    def chosen(
        self,
        remembered: dict[str, str],
        *,
        busy: frozenset[tuple[Transport, int]] = frozenset(),
        ours: tuple[int, ...] = (),
        fresh: range = range(20000, 20100),
    ) -> dict[str, str]:
        asked: list[tuple[Transport, int]] = []

        def free(transport: Transport, port: int) -> bool:
            asked.append((transport, port))
            return (transport, port) not in busy

        found = choose(remembered, WANTED, random=Random(1), ours=ours, free=free, fresh=fresh)
        self.assertEqual(sorted(found), sorted(WANTED))
        return dict(found)

    def test_what_is_remembered_and_free_stays(self) -> None:
        self.assertEqual(self.chosen(KEPT), KEPT)

    def test_what_our_own_child_holds_stays(self) -> None:
        busy = frozenset({(Transport.TCP, 21001), (Transport.UDP, 21003)})
        self.assertEqual(self.chosen(KEPT, busy=busy, ours=(21001, 21003)), KEPT)

    def test_only_the_one_that_was_taken_changes(self) -> None:
        found = self.chosen(KEPT, busy=frozenset({(Transport.TCP, 21002)}))
        self.assertNotEqual(found["metrics_listen_addr"], KEPT["metrics_listen_addr"])
        self.assertEqual({**found, "metrics_listen_addr": ""}, {**KEPT, "metrics_listen_addr": ""})

    def test_udp_and_tcp_are_different_ports(self) -> None:
        self.assertEqual(self.chosen(KEPT, busy=frozenset({(Transport.UDP, 21001), (Transport.TCP, 21003)})), KEPT)

    def test_one_port_is_not_given_twice(self) -> None:
        found = self.chosen(dict.fromkeys(WANTED, f"{HOST}:21001"))
        self.assertEqual((found["listen_addr"], found["derp.server.stun_listen_addr"]), (f"{HOST}:21001", f"{HOST}:21001"))
        self.assertNotEqual(found["metrics_listen_addr"], f"{HOST}:21001")
        few = self.chosen({}, fresh=range(20000, 20002))
        self.assertEqual({few["listen_addr"], few["metrics_listen_addr"]}, {f"{HOST}:20000", f"{HOST}:20001"})

    def test_what_is_no_loopback_address_is_not_kept(self) -> None:
        for address in (
            "0.0.0.0:8080",
            ":8080",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.0.0.1:http",
            "[::1]:8080",
            "",
            "127.0.0.1:+1",
        ):
            self.assertRegex(self.chosen({"listen_addr": address})["listen_addr"], rf"^{HOST}:200\d\d$", address)

    def test_none_is_free(self) -> None:
        every = frozenset((transport, port) for transport in Transport for port in range(20000, 20100))
        with self.assertRaises(NoFreePort) as caught:
            self.chosen({}, busy=every)
        self.assertEqual(
            caught.exception.sentence,
            "No free TCP port was found on 127.0.0.1 for headscale in 200 tries between 20000 and 20099",
        )


class Ranges(SynchronousTestCase):
    def test_new_ports_are_not_those_of_outgoing_connections(self) -> None:
        for ephemeral, first, last in (
            ((32768, 60999), 10240, 32767),
            ((1024, 60999), 61000, 65535),
            ((1024, 65535), 1024, 65535),
        ):
            found = candidates(ephemeral)
            self.assertEqual((found[0], found[-1]), (first, last))

    def test_the_kernel_is_asked(self) -> None:
        path = Path(self.mktemp())
        self.assertEqual(ephemeral_range(path), (32768, 60999))
        path.write_text("20000\t30000\n")
        self.assertEqual(ephemeral_range(path), (20000, 30000))
        path.write_text("nonsense\n")
        self.assertEqual(ephemeral_range(path), (32768, 60999))


class RealSockets(SynchronousTestCase):
    def bound(self, transport: Transport, host: str = HOST) -> socket.socket:
        found = socket.socket(socket.AF_INET, transport.value)
        self.addCleanup(found.close)
        found.bind((host, 0))
        return found

    def test_a_listener_is_seen_on_loopback_and_on_every_address(self) -> None:
        for host in (HOST, "0.0.0.0"):
            listener = self.bound(Transport.TCP, host)
            listener.listen(1)
            self.assertFalse(is_free(Transport.TCP, listener.getsockname()[1]), host)

    def test_a_udp_socket_is_seen_and_is_no_matter_to_tcp(self) -> None:
        port = self.bound(Transport.UDP).getsockname()[1]
        self.assertFalse(is_free(Transport.UDP, port))
        listener = self.bound(Transport.TCP)
        listener.listen(1)
        self.assertTrue(is_free(Transport.UDP, listener.getsockname()[1]))

    def test_connections_of_an_earlier_life_do_not_count(self) -> None:
        listener = self.bound(Transport.TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.listen(1)
        port = listener.getsockname()[1]
        client = socket.create_connection((HOST, port))
        self.addCleanup(client.close)
        server, _ = listener.accept()
        listener.close()
        server.close()  # the server's side closes first and stays behind in FIN-WAIT
        self.assertTrue(is_free(Transport.TCP, port))

    def test_it_lets_go_at_once(self) -> None:
        found = choose({}, WANTED, random=Random(7))
        self.assertEqual(choose(found, WANTED, random=Random(8)), found)
