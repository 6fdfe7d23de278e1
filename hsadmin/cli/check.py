"""`hsadmin check`: would it start, and what does it believe? Changes nothing. Ends 0, or 78 when something is in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from hsadmin.cli import probe
from hsadmin.cli.context import Context
from hsadmin.config import describe

UNFIT = 78


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` of the configuration, what is trusted on first use, what was found well, and what is in the way."""

    facts: Sequence[str]
    trust: Sequence[str]
    good: Sequence[str]
    faults: Sequence[str]


def add(commands: Any) -> None:
    command = commands.add_parser("check", help="would it start, and what does it trust on first use", description=__doc__)
    command.set_defaults(run=check)


def check(context: Context) -> int:
    config = context.config()
    findings = [*probe.work_dir(config), *probe.listeners(config), *probe.certificate(config), *probe.settings(config)]
    trust, damaged = probe.trusted(config)
    faults = [finding.sentence for finding in findings if not finding.good] + damaged
    checked = Checked(facts=describe(config), trust=trust, good=[finding.sentence for finding in findings if finding.good], faults=faults)
    trusted = checked.trust or ["nothing yet"]
    context.show(
        checked, [*checked.facts, *(f"trusted on first use: {line}" for line in trusted), *(f"good: {line}" for line in checked.good)]
    )
    for sentence in faults:
        context.say(sentence)
    return UNFIT if faults else 0
