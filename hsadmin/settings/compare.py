"""What is in headscale.yaml against what hsadmin needs there: corrections by name, warnings, and what would keep headscale from starting.

Every key that is not owned is taken as edited, whatever it says, as long as headscale starts with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from hsadmin.settings.catalogue import BY_NAME, SECRETS, WHOLE
from hsadmin.settings.facts import Derp, Facts
from hsadmin.settings.obsolete import OBSOLETE
from hsadmin.settings.owned import Wanted, after_a_trial, wanted
from hsadmin.settings.read import Reading
from hsadmin.settings.rules import FATAL, WORRYING
from hsadmin.settings.scalars import Value, flow_text


@dataclass(frozen=True, slots=True)
class Correction:
    """An owned key that gets `value`; `sentence` says what stood there."""

    name: str
    value: Value
    sentence: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`problems` are what headscale would not start with, after the corrections."""

    corrections: Sequence[Correction]
    warnings: Sequence[str]
    problems: Sequence[str]


def compare(reading: Reading, facts: Facts) -> Comparison:
    needs = dict(wanted(facts))
    if facts.derp is Derp.EMBEDDED and reading.effective("derp.paths") == [str(facts.layout.derp_map)]:
        needs |= after_a_trial(facts)
    corrections = list(_corrections(reading, needs))
    corrected: Mapping[str, Value] = {correction.name: correction.value for correction in corrections}

    def effective(name: str) -> Value:
        return BY_NAME[name].kind.take(corrected[name]).value if name in corrected else reading.effective(name)

    return Comparison(
        corrections=corrections,
        warnings=[
            *_strange(reading, corrected),
            *(f"{reading.place(key)}: {key}: {text}" for rule in WORRYING for key, text in rule(effective, reading)),
        ],
        problems=[f"{reading.place(key)}: {key}: {text}" for rule in FATAL for key, text in rule(effective, reading)],
    )


def _corrections(reading: Reading, needs: Mapping[str, Wanted]) -> Iterator[Correction]:
    for name, want in needs.items():
        setting = BY_NAME[name]
        taken = setting.kind.take(reading.found(name))
        exact = not reading.stands(name) or _same_type(reading.found(name), want)
        if want.content(taken.value) and exact and not taken.odd:
            continue
        because = want.why or setting.owned
        if name in reading.leaves:
            found = flow_text(reading.leaves[name].value)
            sentence = f"{reading.place(name)}: {name}: {found} was found and {flow_text(want.value)} was put back, because {because}"
        else:
            sentence = f"{reading.file}: {name} was missing and {flow_text(want.value)} was put there, because {because}"
        yield Correction(name, want.value, sentence)


def _same_type(found: Value, want: Wanted) -> bool:
    """A number where text is wanted may be read as another number: 0600 without quotes is 384."""
    return type(found) is type(want.value)


def _strange(reading: Reading, corrected: Mapping[str, Value]) -> Iterator[str]:
    for name, leaf in reading.leaves.items():
        setting = BY_NAME.get(name)
        if setting is None:
            if name not in OBSOLETE and leaf.value not in (None, {}):
                yield f"{reading.place(name)}: {name} is no key of headscale 0.29, which ignores it without a word{_suggestion(name)}"
        elif leaf.value is not None and name not in corrected and (taken := setting.kind.take(leaf.value)).odd:
            if name in SECRETS:
                yield f"{reading.place(name)}: {name} should be {setting.kind.allowed}"
                continue
            what = f"; headscale takes it as {flow_text(taken.value)}" if taken.value != leaf.value else ""
            yield f"{reading.place(name)}: {name}: {flow_text(leaf.value)} was found{what}; it should be {setting.kind.allowed}"
        elif name in WHOLE and isinstance(leaf.value, dict) and any(key != key.lower() for key in leaf.value):
            yield f"{reading.place(name)}: {name}: headscale reads the names below this key in lower case"


def _suggestion(name: str) -> str:
    leaf = name.rpartition(".")[2]
    same = [known for known in BY_NAME if known.rpartition(".")[2] == leaf]
    close = same[:1] or get_close_matches(name, BY_NAME, n=1, cutoff=0.8)
    return f"; did you mean {close[0]}?" if close else ""
