"""headscale's settings, without touching a disk: text in, text and sentences out.

catalogue  every key of headscale 0.29 once: kind, default, help, what a change needs, whether it is hsadmin's
kinds      the types of values, and what headscale makes of a value of another type
facts      what hsadmin knows that must stand in the file
owned      what the owned keys must say, from the facts
render     the first headscale.yaml, and the trial's relay map
scalars    YAML scalars as headscale reads them, values as text
document   the file as a tree with marks
read       the file as headscale reads it
obsolete   keys of older versions
rules      what headscale would not start with, and what should worry
compare    found against needed: corrections, warnings, problems
splice     one value changed, every other byte as it was
"""

from __future__ import annotations

from hsadmin.settings.catalogue import OWNED, SETTINGS, Needs, Setting
from hsadmin.settings.compare import Comparison, Correction, compare
from hsadmin.settings.facts import Derp, Facts
from hsadmin.settings.read import Reading, decode, read
from hsadmin.settings.render import derp_map, headscale_yaml
from hsadmin.settings.splice import put, put_all

__all__ = [
    "OWNED",
    "SETTINGS",
    "Comparison",
    "Correction",
    "Derp",
    "Facts",
    "Needs",
    "Reading",
    "Setting",
    "compare",
    "decode",
    "derp_map",
    "headscale_yaml",
    "put",
    "put_all",
    "read",
]
