"""What the tests of headscale's settings share: facts, and a first render with some edits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hsadmin.model.layout import Layout
from hsadmin.settings import Comparison, Derp, Facts, compare, headscale_yaml, put, read
from hsadmin.settings.scalars import Value

FACTS = Facts(
    layout=Layout(Path("/var/lib/hsadmin")),
    server_url="https://tailnet.example.com",
    listen_addr="127.0.0.1:21001",
    metrics_listen_addr="127.0.0.1:21002",
)
TRIAL = replace(FACTS, server_url="http://127.0.0.1:8080", derp=Derp.STUN_ONLY, stun_listen_addr="127.0.0.1:21003")


def edited(edits: dict[str, Value]) -> Comparison:
    text = headscale_yaml(FACTS)
    for name, value in edits.items():
        text = put(text, name, value, file="headscale.yaml")
    return compare(read(text, "headscale.yaml"), FACTS)
