"""The phases of the supervised headscale, and all that can follow each (pure).

- IDLE, STOPPED: there is no child, and none is wanted.
- PREPARING: there is none; an orphan is being ended, the binary resolved, headscale.yaml reconciled. A refusal leads to UNAVAILABLE.
- STARTING: spawned, and not to be signalled yet. READY: it answers.
- BACKING_OFF, CRASH_LOOP, UNAVAILABLE: there is none, and a timer runs to the next attempt.
- STOPPING: the front is closing its tunnels, or the child has its signal. Who asked decides what follows: a stop (STOPPED), a restart
  (STOPPED and at once PREPARING), or we ourselves, because it never got ready or answers no more (as if it had ended by itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from hsadmin.model.engine import Phase


class Event(Enum):
    START = auto()  # asked to run
    RETRY = auto()  # the pause is over
    REFUSED = auto()  # could not be prepared or spawned
    SPAWNED = auto()
    HEALTHY = auto()  # all checks good for the first time
    ENDED = auto()  # nobody asked it to
    ENDED_AGAIN = auto()  # and it is a crash loop by now
    STOP = auto()  # it is to be ended
    GONE = auto()  # there is no child, and none is wanted


TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.IDLE, Event.START): Phase.PREPARING,
    (Phase.IDLE, Event.STOP): Phase.STOPPING,
    (Phase.PREPARING, Event.SPAWNED): Phase.STARTING,
    (Phase.PREPARING, Event.REFUSED): Phase.UNAVAILABLE,
    (Phase.PREPARING, Event.STOP): Phase.STOPPING,
    (Phase.STARTING, Event.HEALTHY): Phase.READY,
    (Phase.STARTING, Event.ENDED): Phase.BACKING_OFF,
    (Phase.STARTING, Event.ENDED_AGAIN): Phase.CRASH_LOOP,
    (Phase.STARTING, Event.STOP): Phase.STOPPING,
    (Phase.STARTING, Event.GONE): Phase.STOPPED,
    (Phase.READY, Event.ENDED): Phase.BACKING_OFF,
    (Phase.READY, Event.ENDED_AGAIN): Phase.CRASH_LOOP,
    (Phase.READY, Event.STOP): Phase.STOPPING,
    (Phase.READY, Event.GONE): Phase.STOPPED,
    (Phase.BACKING_OFF, Event.RETRY): Phase.PREPARING,
    (Phase.BACKING_OFF, Event.STOP): Phase.STOPPING,
    (Phase.CRASH_LOOP, Event.RETRY): Phase.PREPARING,
    (Phase.CRASH_LOOP, Event.STOP): Phase.STOPPING,
    (Phase.UNAVAILABLE, Event.RETRY): Phase.PREPARING,
    (Phase.UNAVAILABLE, Event.STOP): Phase.STOPPING,
    (Phase.STOPPING, Event.ENDED): Phase.BACKING_OFF,
    (Phase.STOPPING, Event.ENDED_AGAIN): Phase.CRASH_LOOP,
    (Phase.STOPPING, Event.GONE): Phase.STOPPED,
    (Phase.STOPPED, Event.START): Phase.PREPARING,
}
