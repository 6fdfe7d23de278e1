"""The collector's settings come with the service and go with it."""

from __future__ import annotations

import gc

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.system.collector import THRESHOLDS, Collector


class CollectorTests(SynchronousTestCase):
    def test_while_it_runs_and_not_after(self) -> None:
        before = gc.get_threshold(), gc.get_freeze_count()
        collector = Collector()
        collector.startService()
        self.addCleanup(gc.unfreeze)
        self.assertEqual(gc.get_threshold(), THRESHOLDS)
        self.assertGreater(gc.get_freeze_count(), 1000)
        collector.stopService()
        self.assertEqual((gc.get_threshold(), gc.get_freeze_count()), before)
