"""When the next start comes, and when ends in a row are a crash loop (pure).

A child that worked and died is started at once: its clients are waiting. One that ends again and again gets 1, 2, 4 … 60 seconds, so that
a broken configuration costs a start a minute and not a processor. A minute of health wipes the slate clean; being ready for a moment does
not, or a headscale that crashes at its first request would be restarted without pause.
"""

from __future__ import annotations

import msgspec

HEALTHY = 60.0  # seconds of readiness after which earlier ends no longer count
LONGEST = 60.0
LOOP = 3  # ends in a row, none after a healthy run


class Backoff(msgspec.Struct, frozen=True):
    """What is remembered between runs: how many ended, or could not begin, since the last healthy one."""

    ends: int = 0

    def after(self, ready_for: float | None) -> Backoff:
        """One more end. `ready_for`: seconds from readiness to the end, None if it never was ready."""
        if ready_for is None:
            # A first run that never got ready has nobody waiting for it: it takes the first pause, not the immediate restart.
            return Backoff(max(self.ends, 1) + 1)
        return Backoff(1 if ready_for >= HEALTHY else self.ends + 1)

    @property
    def pause(self) -> float:
        """Seconds before the next start."""
        return 0.0 if self.ends <= 1 else min(LONGEST, 2.0 ** min(self.ends - 2, 10))

    @property
    def looping(self) -> bool:
        return self.ends > LOOP
