"""hsadmin.yaml as text and marks: reading the file, and finding what stands under which key on which line.

Nothing is interpreted here but YAML's shape. Every fault is a ConfigProblem that names the file and, where there is one, the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml

from hsadmin.config import kinds
from hsadmin.config.catalogue import BY_NAME, SECTIONS
from hsadmin.config.kinds import Raw, Scalar
from hsadmin.errors import ConfigProblem

LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Placed:
    """What was written for a key, and where: `place` begins sentences, relative paths are below `base`."""

    raw: Raw
    place: str
    base: Path


def read_text(path: Path) -> str:
    """The file's text. Raises ConfigProblem if it cannot be had."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigProblem(f"{path} does not exist; start from the example file hsadmin.example.yaml") from None
    except IsADirectoryError:
        raise ConfigProblem(f"{path} is a folder; the configuration is a file") from None
    except PermissionError:
        raise ConfigProblem(f"{path} may not be read by this user") from None
    except OSError as error:
        raise ConfigProblem(f"{path} cannot be read: {error.strerror or error}") from None
    if len(data) > LARGEST:
        raise ConfigProblem(f"{path} is larger than 1 MiB; this is not a configuration of hsadmin")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigProblem(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8", line=line
        ) from None


def placed_keys(text: str, path: Path) -> Mapping[str, Placed]:
    """What stands under each key of `text`; raises ConfigProblem for broken YAML, unknown and duplicate keys."""
    root = _compose(text, path)
    if root is None or _is_null(root):
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise _at(path, root, f"the file holds {_shape(root)}; allowed are keys such as server: with values below them")
    return dict(_keys(root, path, ""))


def _keys(mapping: yaml.MappingNode, path: Path, section: str) -> Iterator[tuple[str, Placed]]:
    seen: dict[str, int] = {}
    for key_node, value in mapping.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _at(path, key_node, f"{_shape(key_node)} stands where a key belongs")
        name = f"{section}.{key_node.value}" if section else key_node.value
        line = _line(key_node)
        if name in seen:
            raise _at(path, key_node, f"{name} was found a second time (first on line {seen[name]}); each key may stand once", key=name)
        seen[name] = line
        if name in SECTIONS:
            if isinstance(value, yaml.MappingNode):
                yield from _keys(value, path, name)
            elif not _is_null(value):
                raise _at(path, key_node, f"{name}: {_shape(value)} was found; allowed are keys below it", key=name)
        elif name in BY_NAME:
            yield name, Placed(_raw(value, path), f"{path}, line {line}", path.parent)
        else:
            raise _at(path, key_node, f"{kinds.quoted(name)} is no key of hsadmin.yaml{_suggestion(name)}", key=name)


def _suggestion(name: str) -> str:
    leaf = name.rpartition(".")[2]
    same_leaf = [known for known in BY_NAME if known.rpartition(".")[2] == leaf.lower()]
    close = same_leaf or get_close_matches(name.lower(), [*BY_NAME, *SECTIONS], n=1, cutoff=0.7)
    if not close:
        leaves = {known.rpartition(".")[2]: known for known in BY_NAME}
        close = [leaves[found] for found in get_close_matches(leaf.lower(), leaves, n=1, cutoff=0.75)]
    return f"; did you mean {close[0]}?" if close else "; every key stands in hsadmin.example.yaml"


def _compose(text: str, path: Path) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigProblem(f"{path}, line {line}: this is not proper YAML: {error.problem or error.context}", line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigProblem(
            f"{path}, line {line}: the character U+{ord(text[error.position]):04X} may not stand in YAML", line=line
        ) from None
    except RecursionError:
        raise ConfigProblem(f"{path} nests lists or mappings too deeply to be a configuration") from None


def _raw(node: yaml.Node, path: Path) -> Raw:
    if not node.tag.startswith("tag:yaml.org,2002:"):
        raise _at(path, node, f"the tag {node.tag} was found; values are written without tags")
    if isinstance(node, yaml.ScalarNode):
        return Scalar(node.value, plain=node.style is None)
    if isinstance(node, yaml.SequenceNode):
        return tuple(_raw(item, path) if isinstance(item, yaml.ScalarNode) else kinds.Mapping() for item in node.value)
    return kinds.Mapping()


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and Scalar(node.value, plain=node.style is None).null


def _shape(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f"the value {kinds.quoted(node.value)}"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _at(path: Path, node: yaml.Node, sentence: str, key: str = "") -> ConfigProblem:
    facts: dict[str, str | int] = {"line": _line(node)}
    if key:
        facts["key"] = key
    return ConfigProblem(f"{path}, line {_line(node)}: {sentence}", **facts)
