"""The table is whole: every phase can be reached, and from every phase it can be stopped."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.engine.phases import TRANSITIONS, Event
from hsadmin.model.engine import Phase


class PhasesTests(SynchronousTestCase):
    def test_every_phase_is_reached(self) -> None:
        self.assertEqual({Phase.IDLE, *TRANSITIONS.values()}, set(Phase))

    def test_every_phase_leads_to_stopped(self) -> None:
        for phase in set(Phase) - {Phase.STOPPED, Phase.STOPPING}:
            self.assertIs(TRANSITIONS[phase, Event.STOP], Phase.STOPPING, phase)
        self.assertIs(TRANSITIONS[Phase.STOPPING, Event.GONE], Phase.STOPPED)

    def test_a_child_is_there_in_these_only(self) -> None:
        """Only a phase with a child can see its end."""
        self.assertEqual({phase for phase, event in TRANSITIONS if event is Event.ENDED}, {Phase.STARTING, Phase.READY, Phase.STOPPING})
