"""Scalars mean what headscale's reader makes of them, and what is written means the same to every reader."""

from __future__ import annotations

import math
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.settings.document import compose, leaves
from hsadmin.settings.scalars import Value, flow_text, resolve, scalar_text

# What go.yaml.in/yaml/v3 3.0.4 makes of them; PyYAML differs on those marked.
RESOLVED: tuple[tuple[str, Value], ...] = (
    ("", None),
    ("~", None),
    ("null", None),
    ("NULL", None),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("yes", "yes"),  # PyYAML: true
    ("off", "off"),  # PyYAML: false
    ("y", "y"),
    ("0", 0),
    ("-0", 0),
    ("12", 12),
    ("+12", 12),
    ("-12", -12),
    ("1_000", 1000),
    ("0770", 504),
    ("0o770", 504),  # PyYAML: text
    ("0x1F", 31),
    ("0b101", 5),
    ("08", 8.0),  # no octal number; PyYAML: text
    ("1.5", 1.5),
    (".5", 0.5),
    ("1.", 1.0),
    ("1e3", 1000.0),  # PyYAML: text
    ("-1.5E-3", -0.0015),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("1:30", "1:30"),  # PyYAML: 90
    ("127.0.0.1", "127.0.0.1"),
    ("127.0.0.1:80", "127.0.0.1:80"),
    ("30m", "30m"),
    ("-", "-"),
    (".", "."),
    ("_", "_"),
    ("1e", "1e"),
    ("0x", "0x"),
    ("99999999999999999999", 1e20),
    ("18446744073709551615", 18446744073709551615),
)

WRITTEN: tuple[tuple[Value, str], ...] = (
    (None, "null"),
    (True, "true"),
    (False, "false"),
    (7, "7"),
    (1.5, "1.5"),
    ("sqlite", "sqlite"),
    ("/var/lib/x-y/db.sqlite", "/var/lib/x-y/db.sqlite"),
    ("", '""'),
    ("0600", '"0600"'),
    ("No", '"No"'),
    ("a b", '"a b"'),
    ("a: b", '"a: b"'),
    ("a #b", '"a #b"'),
    ('"\\', '"\\"\\\\"'),
    ("\x85\u2028\ufeff", '"\\x85\\u2028\\ufeff"'),
    ([], "[]"),
    (["a", "1", True], '[a, "1", true]'),
    ({}, "{}"),
    ({"a.b": ["c"], "1": 2}, '{a.b: [c], "1": 2}'),
)

TREES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(1 << 60), 1 << 60), st.text(st.characters(codec="utf-8"), max_size=9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(st.sampled_from("abcXYZ.-_ 1"), min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


class Scalars(SynchronousTestCase):
    def test_resolved(self) -> None:
        for text, value in RESOLVED:
            found = resolve(text)
            self.assertEqual((found, type(found)), (value, type(value)), text)

    def test_no_number_is_not_a_number(self) -> None:
        found = resolve(".nan")
        assert isinstance(found, float)
        self.assertTrue(math.isnan(found))

    def test_written(self) -> None:
        for value, text in WRITTEN:
            self.assertEqual(flow_text(value), text)

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(st.text(st.characters(codec="utf-8"), max_size=12))
    def test_text_stays_text_for_both_readers(self, text: str) -> None:
        written = f"a: {scalar_text(text)}\nb: [{scalar_text(text)}]\n"
        self.assertEqual(yaml.safe_load(written), {"a": text, "b": [text]})
        found = leaves(compose(written, "f"), "f")
        self.assertEqual((found["a"].value, found["b"].value), (text, [text]))

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(TREES)
    def test_trees_come_back(self, tree: Value) -> None:
        self.assertEqual(yaml.safe_load(f"a: {flow_text(tree)}\n"), {"a": tree})
