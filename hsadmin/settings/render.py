"""The first headscale.yaml, and the trial's relay map: text from the catalogue and the facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hsadmin.settings.catalogue import SECTION_HELP, SETTINGS, Setting, Shown, Unset
from hsadmin.settings.facts import Facts
from hsadmin.settings.owned import wanted
from hsadmin.settings.scalars import Value, flow_text

HEAD = """\
# headscale's settings. This file is yours: change what you like, hsadmin keeps your comments and your way of writing, and puts back only
# the keys marked "hsadmin's". Use absolute paths. A changed value counts after a restart of headscale.
"""

Tree = dict[str, "Tree | Setting"]


def headscale_yaml(facts: Facts) -> str:
    """The whole file, with comments."""
    return HEAD + "".join(_lines(_tree(), first_values(facts), ""))


def first_values(facts: Facts) -> Mapping[str, Value]:
    """What the first render sets, by name."""
    values = {setting.name: setting.first for setting in SETTINGS if setting.shown is Shown.SET}
    values |= {"dns.base_domain": facts.base_domain, "derp.server.stun_listen_addr": facts.stun_listen_addr}
    return values | {name: want.value for name, want in wanted(facts).items() if name in values}


def derp_map(facts: Facts) -> str:
    """derp.yaml of a trial: one region whose one node answers STUN on loopback and relays nothing. headscale reads lower-case keys only."""
    return f"""\
# A relay map without a relay, written by hsadmin for a trial: STUN on loopback only.
regions:
  999:
    regionid: 999
    regioncode: direct
    regionname: direct connections only
    nodes:
      - name: 999a
        regionid: 999
        hostname: {facts.stun_host}
        ipv4: {facts.stun_host}
        ipv6: none
        stunport: {facts.stun_port}
        stunonly: true
"""


def _tree() -> Tree:
    root: Tree = {}
    for setting in SETTINGS:
        if setting.shown is Shown.HIDDEN:
            continue
        branch = root
        for part in setting.path[:-1]:
            inner = branch.setdefault(part, {})
            assert isinstance(inner, dict)
            branch = inner
        branch[setting.path[-1]] = setting
    return root


def _lines(tree: Tree, values: Mapping[str, Value], indent: str) -> Iterator[str]:
    for name, branch in tree.items():
        if isinstance(branch, Setting):
            mark = " (hsadmin's)" if branch.owned else ""
            yield f"{'' if indent else chr(10)}{indent}# {branch.help}{mark}\n"
            yield (
                f"{indent}{name}: {flow_text(values[branch.name])}\n" if branch.name in values else f"{indent}#{name}:{_default(branch)}\n"
            )
        else:
            if not indent:
                yield "\n" + (f"# {SECTION_HELP[name]}\n" if name in SECTION_HELP else "")
            yield f"{indent}{'' if _sets_something(branch) else '#'}{name}:\n"
            yield from _lines(branch, values, f"{indent}  ")


def _sets_something(tree: Tree) -> bool:
    return any(branch.shown is Shown.SET if isinstance(branch, Setting) else _sets_something(branch) for branch in tree.values())


def _default(setting: Setting) -> str:
    return "" if isinstance(setting.default, Unset) else f" {flow_text(setting.default)}"
