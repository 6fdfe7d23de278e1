"""A settings file as a tree with marks: what stands under each dotted name, and where its characters are.

Names are as headscale's reader (viper) sees them: lower case, and a key with dots in it (`policy.mode: file` at the top) is the same as
one nested below `policy`. What two readers could take differently is refused here: a name that stands twice, merge keys, foreign tags,
several documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from hsadmin.errors import SettingsMalformed
from hsadmin.settings.scalars import Value, resolve

_STANDARD = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset({"", "str", "int", "bool", "float", "null"})


class Alias(yaml.Node):
    """`*name`, kept apart from the node it stands for: its marks are its own."""

    id = "alias"

    def __init__(self, target: yaml.Node, event: Any) -> None:
        super().__init__(target.tag, target.value, event.start_mark, event.end_mark)
        self.target = target
        self.name = event.anchor


class _Loader(yaml.BaseLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call] # PyYAML's stubs leave it bare
            target = super().compose_node(parent, index)
            assert target is not None
            return Alias(target, event)
        return super().compose_node(parent, index)

    def compose_scalar_node(self, anchor: dict[Any, yaml.Node]) -> yaml.ScalarNode:
        """The tag as written, "" when none was: what a plain scalar means is decided by `resolve`."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call] # PyYAML's stubs leave it bare
        node = super().compose_scalar_node(anchor)
        node.tag = f"{_STANDARD}str" if event.tag == "!" else event.tag or ""
        return node


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value in the file: its dotted name in lower case, its key as written, 1-based line of the key, and the nodes to splice at."""

    name: str
    written: str
    value: Value
    line: int
    key: yaml.Node
    node: yaml.Node


def compose(text: str, file: str) -> yaml.MappingNode | None:
    """The root mapping; None when the file holds nothing but comments. Raises SettingsMalformed naming `file` and the line."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SettingsMalformed(f"{file}, line {line}: this is not proper YAML: {error.problem or error.context}", line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SettingsMalformed(
            f"{file}, line {line}: the character U+{ord(text[error.position]):04X} may not stand in YAML", line=line
        ) from None
    except RecursionError:
        raise SettingsMalformed(f"{file} nests lists or mappings too deeply") from None
    if root is None or isinstance(root, yaml.MappingNode):
        return root
    if isinstance(root, yaml.ScalarNode) and plain_value(root, file) is None and root.start_mark.index == root.end_mark.index:
        return None
    raise fault(file, root, "the file must be a mapping: keys with values")


def leaves(root: yaml.MappingNode | None, file: str, *, whole: frozenset[str] = frozenset()) -> Mapping[str, Leaf]:
    """Every value by its dotted name. Mappings named in `whole` are values themselves, and so are empty ones. Raises SettingsMalformed."""
    found: dict[str, Leaf] = {}
    if root is not None:
        for leaf in _leaves(root, file, "", whole):
            first = found.setdefault(leaf.name, leaf)
            if first is not leaf:
                raise fault(file, leaf.key, f"{leaf.name} stands a second time (first on line {first.line}); keep one of them")
    return found


def _leaves(mapping: yaml.MappingNode, file: str, prefix: str, whole: frozenset[str], depth: int = 0) -> Iterator[Leaf]:
    if depth > 20:
        raise fault(file, mapping, "mappings are nested too deeply")
    seen: dict[str, int] = {}
    for key, node in mapping.value:
        written = _key_text(key, file)
        if written.lower() in seen:
            raise fault(file, key, f"{prefix}{written} stands a second time (first on line {seen[written.lower()]}); keep one of them")
        seen[written.lower()] = line_of(key)
        name = f"{prefix}{written.lower()}"
        inner = target_of(node)
        if isinstance(inner, yaml.MappingNode) and inner.value and name not in whole:
            yield from _leaves(inner, file, f"{name}.", whole, depth + 1)
        else:
            yield Leaf(name, written, plain_value(node, file), line_of(key), key, node)


def plain_value(node: yaml.Node, file: str, depth: int = 0) -> Value:
    """A node as headscale takes it, aliases followed."""
    if depth > 20:
        raise fault(file, node, "values are nested too deeply")
    node = target_of(node)
    if node.tag and not node.tag.startswith(_STANDARD):
        raise fault(file, node, f"the tag {node.tag} is not for settings")
    if isinstance(node, yaml.SequenceNode):
        return [plain_value(item, file, depth + 1) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {_key_text(key, file): plain_value(value, file, depth + 1) for key, value in node.value}
    assert isinstance(node, yaml.ScalarNode)
    text, tag = str(node.value), node.tag.removeprefix(_STANDARD)
    if tag not in _SCALAR_TAGS:
        raise fault(file, node, f"the tag !!{tag} is not for settings")
    return text if tag == "str" or (not tag and node.style is not None) else resolve(text)


def target_of(node: yaml.Node) -> yaml.Node:
    return node.target if isinstance(node, Alias) else node


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def fault(file: str, node: yaml.Node, sentence: str) -> SettingsMalformed:
    return SettingsMalformed(f"{file}, line {line_of(node)}: {sentence}", line=line_of(node))


def _key_text(key: yaml.Node, file: str) -> str:
    if not isinstance(key, yaml.ScalarNode):
        raise fault(file, key, "a key must be a single word")
    if key.value == "<<" and key.style is None:
        raise fault(file, key, "merge keys (<<) are not understood here; write the keys out")
    return str(key.value)
