"""hsadmin.yaml, options and defaults become one Config; whatever cannot be is a ConfigProblem in one sentence.

The way: text → what is written under each key, with its place (`source`) → values (`kinds`, by `catalogue`) → Config (`shape`) →
combinations (`rules`).
A trial takes the same way, with options in place of a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hsadmin.config import shape
from hsadmin.config.catalogue import KEYS, Key
from hsadmin.config.kinds import LISTEN, Bad, Raw, Scalar
from hsadmin.config.listen import Listen
from hsadmin.config.rules import clashes
from hsadmin.config.source import Placed, placed_keys, read_text
from hsadmin.errors import ConfigProblem

_SECTIONS = {
    "server": shape.Server,
    "tls": shape.Tls,
    "auth": shape.Auth,
    "headscale": shape.Headscale,
    "front": shape.Front,
    "limits": shape.Limits,
    "log": shape.Log,
}

TRIAL_LISTEN = "tcp:8080:interface=127.0.0.1"
TRIAL_WORK_DIR = "trial"
TRIAL_LOG = "hsadmin.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line may say in place of a key; paths are relative to `cwd`, which is absolute."""

    cwd: Path
    work_dir: str | None = None
    listen: Sequence[str] = ()

    def placed(self) -> Mapping[str, Placed]:
        found: dict[str, Placed] = {}
        if self.work_dir is not None:
            found["work_dir"] = Placed(Scalar(self.work_dir, plain=False), "--work-dir", self.cwd)
        if self.listen:
            found["server.listen"] = Placed(tuple(Scalar(text, plain=False) for text in self.listen), "--listen", self.cwd)
        return found


def load(path: Path, options: Options) -> shape.Config:
    """The configuration in the file at `path`, with `options` in place of its keys. Raises ConfigProblem."""
    path = options.cwd / path
    return parse(read_text(path), path, options.placed())


def parse(text: str, path: Path, options: Mapping[str, Placed] | None = None) -> shape.Config:
    """`text` as the contents of the file at `path`, which is absolute and is not looked at. Raises ConfigProblem."""
    return _build({**placed_keys(text, path), **(options or {})}, source=path, place=str(path), base=path.parent)


def trial(options: Options) -> shape.Config:
    """A configuration to try hsadmin with: loopback only, no TLS, no sign-in, no file. Raises ConfigProblem."""
    place = "--trial"

    def given(text: str) -> Placed:
        return Placed(Scalar(text), place, options.cwd)

    placed = {
        "work_dir": given(TRIAL_WORK_DIR),
        "server.listen": given(TRIAL_LISTEN),
        "tls.mode": given("off"),
        "auth.disabled": given("true"),
        "log.format": given("text"),
        **options.placed(),
    }
    first = _trial_listeners(options, placed["server.listen"])[0]
    host = f"[{first.interface}]" if ":" in first.interface else first.interface
    placed["server.public_url"] = given(f"http://{host}:{first.port}")
    config = _build(placed, source=None, place=place, base=options.cwd)
    return replace(config, log=replace(config.log, file=config.work_dir / TRIAL_LOG))  # the terminal is for the join command


def _trial_listeners(options: Options, placed: Placed) -> Sequence[Listen]:
    raws = placed.raw if isinstance(placed.raw, tuple) else (placed.raw,)
    listeners: list[Listen] = []
    for raw in raws:
        try:
            listen = LISTEN.read(raw, options.cwd)
        except Bad as error:
            raise ConfigProblem(f"{placed.place}: {error}; allowed is {LISTEN.allowed}", key="server.listen") from None
        if not listen.loopback:
            raise ConfigProblem(
                f"{placed.place}: {listen.text!r} was found; a trial has no sign-in and listens on loopback only, such as {TRIAL_LISTEN}",
                key="server.listen",
            )
        listeners.append(listen)
    return listeners


def _build(placed: Mapping[str, Placed], *, source: Path | None, place: str, base: Path) -> shape.Config:
    values = {key.name: _value(key, placed.get(key.name), place, base) for key in KEYS}
    work_dir = values["work_dir"]
    config = shape.Config(
        work_dir=work_dir,
        bin_dir=values["bin_dir"] or work_dir / "bin",
        trial=source is None,
        source=source,
        **{name: kind(**_section(values, name, kind)) for name, kind in _SECTIONS.items()},
    )
    for clash in clashes(config):
        where = placed[clash.key].place if clash.key in placed else place
        raise ConfigProblem(f"{where}: {clash.key}: {clash.sentence}", key=clash.key)
    return config


def _value(key: Key, placed: Placed | None, place: str, base: Path) -> Any:
    if placed is None:
        if key.required:
            raise ConfigProblem(f"{place}: {key.name} is missing; allowed is {key.kind.allowed}", key=key.name)
        return key.kind.read(_default(key), base)
    try:
        return key.kind.read(placed.raw, placed.base)
    except Bad as error:
        raise ConfigProblem(f"{placed.place}: {key.name}: {error}; allowed is {key.kind.allowed}", key=key.name) from None


def _default(key: Key) -> Raw:
    if key.default is None:
        return Scalar("null")
    return Scalar(key.default) if isinstance(key.default, str) else tuple(Scalar(text) for text in key.default)


def _section(values: Mapping[str, Any], name: str, kind: type[Any]) -> dict[str, Any]:
    found = {field.name: values[f"{name}.{field.name}"] for field in fields(kind)}
    if name == "headscale":
        found["sha256"] = found["sha256"] or ""
    return found
