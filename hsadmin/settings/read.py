"""headscale.yaml as headscale reads it: which value counts for each key, which line it stands on, and what is ignored without a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from hsadmin.errors import SettingsMalformed, SettingsProblem
from hsadmin.settings.catalogue import BY_NAME, WHOLE, Unset
from hsadmin.settings.document import Leaf, compose, leaves
from hsadmin.settings.scalars import Value

_SECTIONS = frozenset(".".join(setting.path[:depth]) for setting in BY_NAME.values() for depth in range(1, len(setting.path)))


@dataclass(frozen=True, slots=True)
class Reading:
    """`leaves` is everything that stands in the file, known or not, by dotted lower-case name."""

    file: str
    leaves: Mapping[str, Leaf]

    def stands(self, name: str) -> bool:
        """Whether the key counts as set: null counts as absent for headscale."""
        return name in self.leaves and self.leaves[name].value is not None

    def found(self, name: str) -> Value:
        """What was written, else headscale's default, else None."""
        if self.stands(name):
            return self.leaves[name].value
        default = BY_NAME[name].default
        return None if isinstance(default, Unset) else default

    def effective(self, name: str) -> Value:
        """What headscale works with."""
        return BY_NAME[name].kind.take(self.found(name)).value

    def place(self, name: str) -> str:
        """Begins a sentence about the key."""
        return f"{self.file}, line {self.leaves[name].line}" if name in self.leaves else self.file


def decode(data: bytes, file: str) -> str:
    """The bytes of a settings file as text, byte order mark and line ends kept. Raises SettingsMalformed."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsMalformed(
            f"{file}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8", line=line
        ) from None


def read(text: str, file: str) -> Reading:
    """`file` names the file in sentences. Raises SettingsMalformed, SettingsProblem."""
    found = leaves(compose(text, file), file, whole=WHOLE)
    for leaf in found.values():
        if leaf.name in _SECTIONS and not (leaf.value is None or leaf.value == {}):
            what = "a list" if isinstance(leaf.node, yaml.SequenceNode) else f"{leaf.value!r}"
            raise SettingsProblem(
                f"{file}, line {leaf.line}: {leaf.name}: {what} was found; keys belong below it, and headscale would lose their defaults",
                line=leaf.line,
                key=leaf.name,
            )
    return Reading(file, found)
