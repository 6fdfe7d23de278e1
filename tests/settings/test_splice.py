"""One value changes and nothing else: tables of styles, and any file that hypothesis can think of."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import SettingsMalformed, SettingsNotSpliced, SettingsProblem
from hsadmin.settings import put, put_all
from hsadmin.settings.scalars import Value

SPLICED: tuple[tuple[str, str, str, Value, str], ...] = (
    # what, text, name, value, text after
    ("a plain value", "a: 1\nb: 2\nc: 3\n", "b", "x", "a: 1\nb: x\nc: 3\n"),
    ("a comment behind it", "a: 1   # why\nb: 2\n", "a", True, "a: true   # why\nb: 2\n"),
    ("double quotes", 'a: "x # y" # why\n', "a", "z", "a: z # why\n"),
    ("single quotes", "a: 'it''s' # why\n", "a", "z", "a: z # why\n"),
    ("text that needs quotes", "a: 1\n", "a", "yes", 'a: "yes"\n'),
    ("text with quotes and breaks", "a: 1\n", "a", 'x"\\\n\t\x00é', 'a: "x\\"\\\\\\n\\t\\x00é"\n'),
    ("an address", "a: 1\n", "a", "127.0.0.1:8080", 'a: "127.0.0.1:8080"\n'),
    ("a mode", "a: 0770\n", "a", "0600", 'a: "0600"\n'),
    ("a nested value", "a:\n  b:\n    c: 1 # c\n  d: 2\n", "a.b.c", 7, "a:\n  b:\n    c: 7 # c\n  d: 2\n"),
    ("nothing", "a:\nb: 2\n", "a", "x", "a: x\nb: 2\n"),
    ("nothing but a comment", "a: # why\nb: 2\n", "a", "x", "a: x # why\nb: 2\n"),
    ("null", "a: ~ # why\n", "a", "x", "a: x # why\n"),
    ("a value on the next line", "a:\n  # why\n  x\nb: 2\n", "a", "z", "a:\n  # why\n  z\nb: 2\n"),
    ("a value over several lines", "a: one\n  two\n  three # why\nb: 2\n", "a", "z", "a: z # why\nb: 2\n"),
    ("a literal block", "a: |\n  one\n  two\n\n# why\nb: 2\n", "a", "z", "a: z\n\n# why\nb: 2\n"),
    ("a folded block at the end", "b: 2\na: >-\n  one\n  two\n", "a", "z", "b: 2\na: z\n"),
    ("a flow list", "a: [1, 2] # why\nb: 2\n", "a", ["x"], "a: [x] # why\nb: 2\n"),
    ("a flow list over lines", "a: [\n  1, # one\n  2,\n]\nb: 2\n", "a", [], "a: []\nb: 2\n"),
    ("a block list", "a:\n  - 1 # one\n  - 2 # two\n# why\nb: 2\n", "a", ["x", "z"], "a:\n  - x\n  - z # two\n# why\nb: 2\n"),
    ("a block list not indented", "a:\n- 1\n- 2\nb: 2\n", "a", ["x"], "a:\n- x\nb: 2\n"),
    ("a block list becomes empty", "a:\n- 1\n- 2\nb: 2\n", "a", [], "a:\n  []\nb: 2\n"),
    ("a nested block list becomes a word", "p:\n  a:\n  - 1\n  - 2\n  b: 2\n", "p.a", "x", "p:\n  a:\n    x\n  b: 2\n"),
    ("a block list of mappings", "a:\n  - b: 1\n    c: 2\n  - d: 3\ne: 4\n", "a", [], "a:\n  []\ne: 4\n"),
    ("a mapping becomes a word", "a:\n  b: 1\n  c: 2\nd: 3\n", "a", "x", "a:\n  x\nd: 3\n"),
    ("a word becomes a list", "a: x # why\n", "a", ["z", "x"], "a: [z, x] # why\n"),
    ("a word becomes a mapping", "a: x\n", "a", {"b.c": ["z"]}, "a: {b.c: [z]}\n"),
    ("in a flow mapping", "{a: 1, b: {c: 2}}\n", "b.c", "x", "{a: 1, b: {c: x}}\n"),
    ("in JSON", '{"a": 1, "b": {"c": [2]}}', "b.c", ["x"], '{"a": 1, "b": {"c": [x]}}'),
    ("an alias", "a: &x 1\nb: *x # why\n", "b", "z", "a: &x 1\nb: z # why\n"),
    ("an anchor that nobody uses", "a: &x 1\nb: 2\n", "a", "z", "a: z\nb: 2\n"),
    ("a tag", "a: !!str 5\nb: 2\n", "a", "z", "a: z\nb: 2\n"),
    ("carriage returns", "a: 1 # why\r\nb: 2\r\n", "a", "x", "a: x # why\r\nb: 2\r\n"),
    ("a block list with carriage returns", "a:\r\n  - 1\r\nb: 2\r\n", "a", ["x", "z"], "a:\r\n  - x\r\n  - z\r\nb: 2\r\n"),
    ("no line end at the end", "a: 1\nb: 2", "b", "x", "a: 1\nb: x"),
    ("a byte order mark", "\ufeffa: 1\nb: 2\n", "a", "x", "\ufeffa: x\nb: 2\n"),
    ("document marks", "---\na: 1\n...\n", "a", "x", "---\na: x\n...\n"),
    ("upper case", "Log:\n  Level: info\n", "log.level", "debug", "Log:\n  Level: debug\n"),
    ("a dotted key", "policy.mode: file\n", "policy.mode", "database", "policy.mode: database\n"),
    ("a key in quotes", "'a': 1\n", "a", "x", "'a': x\n"),
    ("wide characters before it", "# ünï \U0001f600\nä: ö\na: 1 # é\n", "a", "x", "# ünï \U0001f600\nä: ö\na: x # é\n"),
    ("the same value", "a:   'x'\n", "a", "x", "a:   'x'\n"),
    ("1 is not true", "a: 1\n", "a", True, "a: true\n"),
    # missing keys
    ("a missing key", "a: 1\nb: 2 # b\n# end\n", "c", "x", "a: 1\nb: 2 # b\nc: x\n# end\n"),
    ("a missing nested key", "a:\n    b: 1 # b\n\n# d\nd: 2\n", "a.c", "x", "a:\n    b: 1 # b\n    c: x\n\n# d\nd: 2\n"),
    ("missing mappings", "a: 1\n", "b.c.d", "x", "a: 1\nb:\n  c:\n    d: x\n"),
    ("behind a nested mapping", "a:\n  b:\n    c: 1\nd: 2\n", "a.e", "x", "a:\n  b:\n    c: 1\n  e: x\nd: 2\n"),
    ("behind a block list", "a:\n  b:\n  - 1\n  - 2\nd: 3\n", "a.e", "x", "a:\n  b:\n  - 1\n  - 2\n  e: x\nd: 3\n"),
    ("behind a literal block", "a:\n  b: |\n    one\n\nd: 3\n", "a.e", "x", "a:\n  b: |\n    one\n  e: x\n\nd: 3\n"),
    ("behind nothing", "a:\n  b: # nothing\nd: 3\n", "a.e", "x", "a:\n  b: # nothing\n  e: x\nd: 3\n"),
    ("beside a block that the end cuts short", "a: |\n  one", "b", "x", "b: x\na: |\n  one"),
    ("behind no line end", "a: 1", "b", "x", "a: 1\nb: x"),
    ("behind a carriage return", "a: 1\r\n", "b.c", "x", "a: 1\r\nb:\r\n  c: x\r\n"),
    ("into an empty parent", "a: # all defaults\n  # b: 1\nd: 2\n", "a.b", "x", "a: # all defaults\n  b: x\n  # b: 1\nd: 2\n"),
    ("into an empty nested parent", "a:\n  b:\nd: 2\n", "a.b.c", "x", "a:\n  b:\n    c: x\nd: 2\n"),
    ("into null", "a: ~ # why\n", "a.b.c", "x", "a: {b: {c: x}} # why\n"),
    ("into an empty flow mapping", "a: {} # why\n", "a.b", "x", "a: {b: x} # why\n"),
    ("into a flow mapping", "a: {b: 1} # why\n", "a.c.d", "x", "a: {b: 1, c: {d: x}} # why\n"),
    ("into a flow mapping over lines", "a: {\n  b: 1, # b\n}\n", "a.c", "x", "a: {\n  b: 1, c: x, # b\n}\n"),
    ("into a flow mapping's null", "a: {b: , c: 1}\n", "a.b.d", "x", "a: {b: {d: x} , c: 1}\n"),
    ("into the empty root", "{}\n", "a.b", "x", "{a: {b: x}}\n"),
    ("into a flow root", '{"a": 1}', "b", "x", '{"a": 1, b: x}'),
    ("into a dotted parent", "a.b:\n  c: 1\n", "a.b.d", "x", "a.b:\n  c: 1\n  d: x\n"),
    ("into an empty file", "", "a.b", "x", "a:\n  b: x\n"),
    ("into a file of comments", "# one\n# two", "a", "x", "# one\n# two\na: x\n"),
    ("into an empty document", "---\n", "a", "x", "---\na: x\n"),
)

NOT_SPLICED = (
    # what, text, name, problem, part of the sentence
    ("the anchor of others", "a: &x 1\nb: *x\n", "a", SettingsNotSpliced, "a cannot be set without changing other values"),
    ("below an alias", "a: &x {b: 1}\nc: *x\n", "c.d", SettingsNotSpliced, "c.d cannot be set without changing other values"),
    ("inside an anchor that others use", "a: &x\n  b: 1\nc: *x\n", "a.b", SettingsNotSpliced, "a.b cannot be set without changing"),
    ("below a word", "a: x\n", "a.b", SettingsNotSpliced, "line 1: a.b cannot be set, a value stands where its mapping belongs"),
    ("below a list", "b: 1\na:\n- x\n", "a.b", SettingsNotSpliced, "line 3: a.b cannot be set"),
    ("a lone key in a flow mapping", "{a, b: 1}\n", "a", SettingsNotSpliced, "a cannot be set"),
    ("twice", "a: 1\nb: 2\na: 3\n", "b", SettingsMalformed, "line 3: a stands a second time (first on line 1)"),
    ("twice in other cases", "a: 1\nA: 3\n", "a", SettingsMalformed, "line 2: A stands a second time"),
    ("twice, once dotted", "a:\n  b: 1\na.b: 2\n", "a.b", SettingsMalformed, "line 3: a.b stands a second time (first on line 2)"),
    ("a merge key", "a: &x {b: 1}\nc:\n  <<: *x\n", "c.d", SettingsMalformed, "line 3: merge keys (<<) are not understood"),
    ("several documents", "a: 1\n---\na: 2\n", "a", SettingsMalformed, "this is not proper YAML"),
    ("tabs", "a:\n\tb: 1\n", "a.b", SettingsMalformed, "line 2: this is not proper YAML"),
    ("a tab before a value", "a:\t1\n", "a", SettingsMalformed, "line 1: this is not proper YAML"),
    ("a control character", "a: 1\nb: \x07\n", "a", SettingsMalformed, "line 2: the character U+0007"),
    ("a foreign tag", "a: !x 1\n", "a", SettingsMalformed, "line 1: the tag !x is not for settings"),
    ("a binary value", "a: !!binary aGk=\n", "a", SettingsMalformed, "the tag !!binary"),
    ("a complex key", "? [a]\n: 1\n", "a", SettingsMalformed, "a key must be a single word"),
    ("a list for a file", "- a\n", "a", SettingsMalformed, "the file must be a mapping"),
    ("a word for a file", "hello\n", "a", SettingsMalformed, "the file must be a mapping"),
    ("null for a file", "~\n", "a", SettingsMalformed, "the file must be a mapping"),
    ("a list in itself", "a: &x [*x]\n", "b", SettingsMalformed, "nested too deeply"),
    ("a mapping in itself", "a: &x {b: *x}\n", "b", SettingsMalformed, "nested too deeply"),
    ("endless nesting", "a: " + "[" * 5000, "b", SettingsMalformed, "too deeply"),
    ("broken", "a: [\n", "a", SettingsMalformed, "this is not proper YAML"),
    ("an unknown alias", "a: *x\n", "a", SettingsMalformed, "this is not proper YAML"),
)


class Tables(SynchronousTestCase):
    def test_spliced(self) -> None:
        for what, text, name, value, after in SPLICED:
            self.assertEqual(put(text, name, value, file="f.yaml"), after, what)

    def test_what_was_spliced_stays(self) -> None:
        for what, text, name, value, after in SPLICED:
            self.assertEqual(put(after, name, value, file="f.yaml"), after, f"{what}: {text}")

    def test_not_spliced(self) -> None:
        for what, text, name, problem, words in NOT_SPLICED:
            with self.assertRaises(problem, msg=what) as caught:
                put(text, name, "new", file="f.yaml")
            self.assertIn(words, caught.exception.sentence, what)
            self.assertTrue(caught.exception.sentence.startswith("f.yaml"), what)

    def test_several_in_order(self) -> None:
        self.assertEqual(put_all("a: 1\n", {"b.c": 1, "b.d": True, "a": "x"}, file="f.yaml"), "a: x\nb:\n  c: 1\n  d: true\n")


KEYS = ("a", "b", "Cc", "'d'", '"e"', "f_g")
NAMES = ("a", "b", "cc", "d", "e", "f_g", "new")
WORDS = st.sampled_from(
    ("x", "127.0.0.1:80", "1", "true", "~", "'it''s'", '"q # \\" x"', "two words", "-5.5", "0x1f", "http://h/p", "ü", '"\\u2028"')
)
COMMENTS = st.sampled_from(("", "", " # why", "   #", ' # "x": [y'))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
VALUES: st.SearchStrategy[Any] = st.one_of(TEXTS, st.booleans(), st.integers(-99, 99999), st.lists(TEXTS, max_size=3))


@st.composite
def flow(draw: st.DrawFn, depth: int) -> str:
    """A flow collection or a word, on one line."""
    shape = draw(st.sampled_from(("word", "list", "mapping"))) if depth < 3 else "word"
    if shape == "list":
        return "[" + draw(st.sampled_from((", ", ",", " , "))).join(draw(st.lists(flow(depth + 1), max_size=3))) + "]"
    if shape == "mapping":
        keys = draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True))
        return "{" + ", ".join(f"{key}: {draw(flow(depth + 1))}" for key in keys) + draw(st.sampled_from(("", " "))) + "}"
    return draw(WORDS)


@st.composite
def block(draw: st.DrawFn, depth: int, indent: str) -> list[str]:
    """Lines of a block mapping in every style that people use."""
    lines: list[str] = []
    for key in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True)):
        lines += draw(st.sampled_from(([], [], [""], [f"{indent}# about {key}"], ["# at the margin"])))
        start, comment = f"{indent}{key}:", draw(COMMENTS)
        shape = draw(st.sampled_from(("word", "empty", "flow", "list", "mapping", "literal", "next line")))
        if shape == "mapping" and depth < 3:
            lines += [start + comment, *draw(block(depth + 1, indent + " " * draw(st.integers(1, 4))))]
        elif shape == "list":
            inner = indent + draw(st.sampled_from(("", "  ")))
            lines += [start + comment, *(f"{inner}- {draw(flow(2))}{draw(COMMENTS)}" for _ in range(draw(st.integers(1, 3))))]
        elif shape == "literal":
            lines += [f"{start} {draw(st.sampled_from(('|', '>', '|-')))}", f"{indent}  one", "", f"{indent}  two: # three"]
        elif shape == "next line":
            lines += [start + comment, f"{indent}  {draw(WORDS)}{draw(COMMENTS)}"]
        elif shape == "empty":
            lines.append(start + comment)
        else:
            lines.append(f"{start} {draw(flow(1) if shape == 'flow' else WORDS)}{comment}")
    return lines


@st.composite
def files(draw: st.DrawFn) -> str:
    lines = draw(block(0, "")) if draw(st.integers(0, 9)) else [draw(flow(0).filter(lambda text: text.startswith("{")))]
    head = draw(st.sampled_from(([], [], ["# head", ""], ["---"])))
    tail = draw(st.sampled_from(([""], [""], [], ["# tail", ""], ["", "", ""])))
    return draw(st.sampled_from(("", "", "\ufeff"))) + draw(st.sampled_from(("\n", "\n", "\r\n"))).join([*head, *lines, *tail])


def plain(text: str) -> Any:
    """All values as texts, read by other means than the code under test."""
    return yaml.load(text, Loader=yaml.BaseLoader)  # BaseLoader makes texts only


def as_text(value: Value) -> Any:
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def changed(tree: Any, parts: list[str], value: Value) -> Any:
    """`tree` with the value at `parts`; raises KeyError where a value stands in the way."""
    if not parts:
        return as_text(value)
    if not isinstance(tree, dict):
        if tree not in ("", "~"):
            raise KeyError(parts[0])
        tree = {}
    key = next((key for key in tree if key.lower() == parts[0]), parts[0])
    return {**tree, key: changed(tree.get(key, {}), parts[1:], value)}


class AnyFile(SynchronousTestCase):
    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @given(files(), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3), VALUES)
    def test_the_one_value_changes_and_every_other_line_stays(self, text: str, parts: list[str], value: Value) -> None:
        before = plain(text)
        try:
            expected = changed(before, parts, value)
        except KeyError:
            event("a value stands in the way")
            self.assertRaises(SettingsProblem, put, text, ".".join(parts), value, file="f.yaml")
            return
        after = put(text, ".".join(parts), value, file="f.yaml")
        event("spliced")
        self.assertEqual(plain(after), expected)
        self.lines_stay(text, after, self.touched(text, parts))

    def touched(self, text: str, parts: list[str]) -> range:
        """Lines from the key to its value's end; where the key is missing, the line that its deepest parent ends on."""
        node: Any = yaml.compose(text, Loader=yaml.BaseLoader)
        first = last = node.start_mark.line if node is not None else 0
        for part in parts:
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            for key, inner in pairs:
                if key.value.lower() == part:
                    first, node = key.start_mark.line, inner
                    break
            else:
                first = 0
                break
        if node is not None:
            last = max(node.end_mark.line, first)
        return range(first, last + 1)

    def lines_stay(self, before: str, after: str, touched: range) -> None:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        head = 0
        while head < min(len(old), len(new)) and old[head] == new[head]:
            head += 1
        tail = 0
        while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
            tail += 1
        gone = old[head : len(old) - tail]
        if gone:
            self.assertIn(head, touched)
            self.assertIn(len(old) - tail - 1, touched)
        if len(new) > len(old) and len(gone) > 1:
            self.fail(f"lines were rewritten where one was to be added: {gone!r}")
