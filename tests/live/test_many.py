"""Three hundred online nodes through the TLS port; headscale is killed; all come back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from twisted.trial.unittest import TestCase

from tests.fakes.control import Node
from tests.live.rig import Hsadmin, until

NODES = 300
AT_ONCE = 50


class ManyTests(TestCase):
    timeout = 900

    def test_three_hundred_nodes_come_back_after_headscale_is_killed(self) -> None:
        hsadmin = Hsadmin()
        self.addCleanup(hsadmin.close)
        hsadmin.start()
        hsadmin.ready()
        auth_key, server = hsadmin.key(), hsadmin.server()
        server_key = server.key()
        nodes = [Node(server, f"node-{number}") for number in range(NODES)]
        for node in nodes:
            self.addCleanup(node.close)

        def join(node: Node) -> None:
            assert node.register(server_key, auth_key).get("MachineAuthorized"), "a node was not let in"
            node.stream(server_key)

        def come_back(node: Node) -> None:
            node.wait_for_end()
            deadline = time.monotonic() + 300
            while True:
                try:
                    node.stream(server_key)
                    return
                except (OSError, EOFError, AssertionError):
                    assert time.monotonic() < deadline, "a node did not come back"

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(join, nodes))
        self.assertEqual(self.streams(hsadmin), NODES)
        with ThreadPoolExecutor(NODES) as pool:
            returning = [pool.submit(come_back, node) for node in nodes]
            hsadmin.kill_headscale()
            killed = time.monotonic()
            for back in returning:
                back.result()
        print(f"\n{NODES} nodes were back {time.monotonic() - killed:.1f} s after the kill")
        until(lambda: self.streams(hsadmin) == NODES, 30, "exactly one stream a node")
        self.assertEqual(len(hsadmin.nodes()), NODES)

    @staticmethod
    def streams(hsadmin: Hsadmin) -> int:
        return int(hsadmin.status()["streams"]["by_route"].get("ts2021", 0))
