"""Facts taken apart."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.settings.samples import FACTS, TRIAL


class StunAddress(SynchronousTestCase):
    def test_host_and_port(self) -> None:
        self.assertEqual((FACTS.stun_host, FACTS.stun_port), ("0.0.0.0", 3478))
        self.assertEqual((TRIAL.stun_host, TRIAL.stun_port), ("127.0.0.1", 21003))
