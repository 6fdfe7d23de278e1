"""contrib/hsadmin.example.yaml, rendered from the catalogue: every key with its help, what has a default commented out with it.

`python -m hsadmin.config.example` prints it; the tracked file is compared with it by a test.
"""

from __future__ import annotations

import sys

from hsadmin.config.catalogue import KEYS, SECTIONS, Key

HEAD = """\
# hsadmin.yaml: the configuration of hsadmin. A key that is commented out shows its default.
# Relative paths are relative to this file's folder. Check it with `hsadmin check --config FILE`.
"""


def render() -> str:
    parts = [HEAD]
    section = ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            parts.append(f"\n# {SECTIONS[section]}\n{section}:\n")
        indent = "  " if section else ""
        comment = "".join(f"{indent}# {line}\n" for line in key.help.splitlines())
        off = "" if key.required else "#"
        gap = "" if parts[-1].endswith(f"{section}:\n") and section else "\n"
        parts.append(f"{gap}{comment}{indent}{off}{key.leaf}: {value_text(key)}\n")
    return "".join(parts)


def value_text(key: Key) -> str:
    """The default, or the example of a required key, as it stands in the file."""
    if key.required:
        return key.example
    if key.default is None:
        return "null"
    return key.default if isinstance(key.default, str) else f"[{', '.join(key.default)}]"


if __name__ == "__main__":
    sys.stdout.write(render())
