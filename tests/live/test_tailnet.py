"""Real clients on a real tailnet through our port."""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
import threading

from twisted.trial.unittest import TestCase

from tests.live.rig import Hsadmin, Machine, through_socks, until

SIZE = 64 << 20
BLOCK = os.urandom(1 << 20)


class TailnetTests(TestCase):
    """`workers` is front.workers."""

    timeout = 600
    workers = 0

    def setUp(self) -> None:
        self.hsadmin = Hsadmin({"front": {"workers": self.workers}})
        self.addCleanup(self.hsadmin.close)
        self.hsadmin.start()
        self.hsadmin.ready()
        self.key = self.hsadmin.key()

    def machine(self, name: str, **environ: str) -> Machine:
        machine = Machine(name, self.hsadmin.ca_file, **environ)
        self.addCleanup(machine.close)
        return machine

    def test_three_clients_join_and_reach_each_other_directly(self) -> None:
        machines = [self.machine(name) for name in ("ann", "ben", "cy")]
        for machine in machines:
            machine.up(self.hsadmin.url, self.key)
        for one, other in itertools.permutations(machines, 2):
            one.ping(other, direct=True)
        self.assertEqual(sorted(node["given_name"] for node in self.hsadmin.nodes()), ["ann", "ben", "cy"])

    def test_three_clients_reach_each_other_through_the_relay_and_carry_64_mib(self) -> None:
        machines = [self.machine(name, TS_DEBUG_ALWAYS_USE_DERP="1") for name in ("dee", "eli", "fay")]
        for machine in machines:
            machine.up(self.hsadmin.url, self.key)
        for one, other in itertools.permutations(machines, 2):
            one.ping(other, direct=False)
        before = self.relayed()
        self.assertEqual(self.transfer(machines[0], machines[1]), hashlib.sha256(BLOCK * (SIZE // len(BLOCK))).hexdigest())
        until(lambda: self.relayed() - before > SIZE, 5, "the counters to have it")

    def relayed(self) -> int:
        counters = self.hsadmin.status()["counters"]
        return int(counters["bytes.derp.received"])

    def transfer(self, sender: Machine, receiver: Machine) -> str:
        """SHA-256 of what a listener on the receiver's machine got; userspace tailscaled hands connections to its own loopback."""
        digest = hashlib.sha256()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(60)

            def receive() -> None:
                connection, _ = listener.accept()
                connection.settimeout(120)
                with connection:
                    while data := connection.recv(1 << 16):
                        digest.update(data)

            thread = threading.Thread(target=receive)
            thread.start()
            with through_socks(sender, receiver.address(), listener.getsockname()[1]) as link:
                for _ in range(SIZE // len(BLOCK)):
                    link.sendall(BLOCK)
                link.shutdown(socket.SHUT_WR)
                thread.join(300)
        return digest.hexdigest()

    def test_clients_come_back_after_headscale_is_killed(self) -> None:
        machines = [self.machine(name) for name in ("gus", "hal")]
        for machine in machines:
            machine.up(self.hsadmin.url, self.key)
        ids = {node["given_name"]: node["id"] for node in self.hsadmin.nodes()}
        with self.hsadmin.requests_meanwhile("/key?v=138") as statuses:
            self.hsadmin.kill_headscale()
            until(self.all_online, 5 * 20, "all clients to be online again")
        self.assertEqual({node["given_name"]: node["id"] for node in self.hsadmin.nodes()}, ids)
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertGreater(statuses.count(200), 0)

    def all_online(self) -> bool:
        return all(node.get("online") for node in self.hsadmin.nodes())

    def test_clients_come_back_after_hsadmin_is_restarted(self) -> None:
        machine = self.machine("ida")
        machine.up(self.hsadmin.url, self.key)
        self.assertEqual(self.hsadmin.stop(), -15)
        self.assertEqual(self.hsadmin.leftovers(), [])
        self.hsadmin.start()
        self.hsadmin.ready()
        until(self.all_online, 5 * 20, "the client to be online again")
