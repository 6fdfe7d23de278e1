"""One value changed in a settings file, every other byte as it was.

The place of the change is found by the marks of the composed tree:
- a value that is there is replaced from its first character to its last, comments around it stay;
- a key that is missing is put behind the last one of the deepest mapping on its way, and brings the mappings that are missing with it.
Whatever was spliced is then read again: unless all values are as before but for the one, the edit is refused. So a file in a style that
nobody thought of (a value that is the anchor of others, say) costs a sentence and never a setting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import yaml

from hsadmin.errors import SettingsMalformed, SettingsNotSpliced
from hsadmin.settings.document import Alias, compose, leaves, plain_value
from hsadmin.settings.scalars import Value, flow_text, scalar_text

_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_INDENT = 2


def put(text: str, name: str, value: Value, *, file: str) -> str:
    """`text` with the dotted `name` set to `value`. Raises SettingsMalformed, SettingsNotSpliced."""
    root = compose(text, file)
    before = _values(root, file)
    wanted = _flat(name, value)
    if wanted.items() <= before.items() and not any(key.startswith(f"{name}.") and key not in wanted for key in before):
        return text
    expected = {**{key: old for key, old in before.items() if not _makes_room(key, old, name)}, **wanted}
    for edited in _edits(text, root, name, value, file):
        try:
            if _values(compose(edited, file), file) == expected:
                return edited
        except SettingsMalformed:
            continue
    raise SettingsNotSpliced(
        f"{file}: {name} cannot be set without changing other values in this file; write it as a plain key on a line of its own"
    )


def put_all(text: str, values: Mapping[str, Value], *, file: str) -> str:
    """`put` for each, in order."""
    for name, value in values.items():
        text = put(text, name, value, file=file)
    return text


def _values(root: yaml.MappingNode | None, file: str) -> dict[str, str]:
    """By name, as text: in Python 1, 1.0 and true are equal, in a settings file they are not."""
    return {name: repr(leaf.value) for name, leaf in leaves(root, file).items()}


def _flat(name: str, value: Value) -> dict[str, str]:
    if isinstance(value, dict) and value:
        return {key: text for inner, item in value.items() for key, text in _flat(f"{name}.{inner.lower()}", item).items()}
    return {name: repr(value)}


def _makes_room(key: str, old: str, name: str) -> bool:
    """The old value, an empty parent, or what stood below a mapping that becomes a value."""
    return key == name or (name.startswith(f"{key}.") and old in {"None", "{}"}) or key.startswith(f"{name}.")


def _edits(text: str, root: yaml.MappingNode | None, name: str, value: Value, file: str) -> Iterator[str]:
    """Ways to do it, best first; each is to be proven."""
    if root is None:
        newline = _newline(text)
        gap = "" if not text or _BREAK.search(text[-1]) else newline
        yield f"{text}{gap}{_block(name.split('.'), value, '', newline)}{newline}"
        return
    where = _Place(root, in_flow=root.flow_style is True)
    rest = where.descend(name.split("."))
    if not rest:
        yield _replace(text, where, value)
    elif isinstance(where.node, Alias):
        return
    elif isinstance(where.node, yaml.MappingNode) and where.node.value:
        yield from _insert(text, where, rest, value)
    elif where.node is root:
        yield _cut(text, root.start_mark.index, _end(root), flow_text(_nested(rest, value)))
    elif plain_value(where.node, file) in (None, {}):
        yield _fill(text, where, rest, value)
    else:
        raise SettingsNotSpliced(
            f"{file}, line {where.node.start_mark.line + 1}: {name} cannot be set, a value stands where its mapping belongs"
        )


class _Place:
    """A walk down the tree: the node reached, its key, and whether it is inside a flow collection."""

    def __init__(self, root: yaml.Node, *, in_flow: bool) -> None:
        self.node = root
        self.key: yaml.Node | None = None
        self.in_flow = in_flow

    def descend(self, parts: Sequence[str]) -> Sequence[str]:
        """Goes as deep as the file has `parts`, longest dotted keys first as viper does; what is left has no place yet."""
        if parts and isinstance(self.node, yaml.MappingNode):
            for length in range(len(parts), 0, -1):
                wanted = ".".join(parts[:length])
                for key, node in self.node.value:
                    if str(key.value).lower() == wanted:
                        self.key, self.node = key, node
                        rest = self.descend(parts[length:])
                        self.in_flow = self.in_flow or (bool(rest) and getattr(node, "flow_style", False) is True)
                        return rest
        return parts


def _replace(text: str, where: _Place, value: Value) -> str:
    node, key = where.node, where.key
    start, end = node.start_mark.index, _end(node)
    if start == end:
        return _cut(text, start, end, f" {flow_text(value)}")
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    if not block or key is None:
        return _cut(text, start, end, flow_text(value))
    column = node.start_mark.column
    lead = text[start - column : start]
    if isinstance(node, yaml.SequenceNode) and isinstance(value, list) and value and not lead.strip(" "):
        return _cut(text, start, end, f"{_newline(text)}{lead}".join(f"- {flow_text(item)}" for item in value))
    deeper = " " * max(key.start_mark.column + _INDENT - column, 0)
    return _cut(text, start, end, f"{deeper}{flow_text(value)}")


def _insert(text: str, where: _Place, rest: Sequence[str], value: Value) -> Iterator[str]:
    """Behind the last key; where that would change its value (a literal block that the file's end cuts short), before the first."""
    first, last = where.node.value[0][0], where.node.value[-1][1]
    at = _end(last)
    if where.in_flow:
        yield _cut(text, at, at, f", {scalar_text(rest[0])}: {flow_text(_nested(rest[1:], value))}")
        return
    newline, indent = _newline(text), " " * first.start_mark.column
    block = _block(rest, value, indent, newline)
    at = _line_end(text, at)
    yield _cut(text, at, at, newline + block)
    start = first.start_mark.index
    yield _cut(text, start, start, f"{block.removeprefix(indent)}{newline}{indent}")


def _fill(text: str, where: _Place, rest: Sequence[str], value: Value) -> str:
    """An empty parent gets its first key."""
    start, end = where.node.start_mark.index, _end(where.node)
    if start < end:
        return _cut(text, start, end, flow_text(_nested(rest, value)))
    if where.in_flow or where.key is None:
        return _cut(text, start, end, f" {flow_text(_nested(rest, value))}")
    newline = _newline(text)
    at = _line_end(text, end)
    return _cut(text, at, at, newline + _block(rest, value, " " * (where.key.start_mark.column + _INDENT), newline))


def _block(parts: Sequence[str], value: Value, indent: str, newline: str) -> str:
    lines = [f"{indent}{' ' * (_INDENT * depth)}{scalar_text(part)}:" for depth, part in enumerate(parts)]
    return f"{newline.join(lines)} {flow_text(value)}"


def _nested(parts: Sequence[str], value: Value) -> Value:
    for part in reversed(parts):
        value = {part: value}
    return value


def _end(node: yaml.Node) -> int:
    """Behind the node's last character. The marks of block collections and block scalars reach on over blank lines and comments."""
    if not isinstance(node, yaml.ScalarNode | yaml.CollectionNode):
        return int(node.end_mark.index)
    if isinstance(node, yaml.ScalarNode):
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        if node.style in {"|", ">"} and node.start_mark.buffer is not None:
            return start + len(node.start_mark.buffer[start:end].rstrip())
        return end
    if node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(node, yaml.MappingNode) else last)


def _line_end(text: str, at: int) -> int:
    found = _BREAK.search(text, at)
    return found.start() if found else len(text)


def _newline(text: str) -> str:
    found = re.search(r"\r\n|\n|\r", text)
    return found.group() if found else "\n"


def _cut(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]
