"""What the owned keys must say, from the facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hsadmin.settings.facts import Derp, Facts
from hsadmin.settings.scalars import Value


@dataclass(frozen=True, slots=True)
class Wanted:
    """`value` is written; the values in `also` are left alone. `why` completes "…, because "."""

    value: Value
    why: str = ""
    also: tuple[Value, ...] = ()

    def content(self, found: Value) -> bool:
        return found == self.value or found in self.also


_TRIAL = "a trial has no TLS, so its relay map is a STUN-only region of hsadmin's own"
_BACK = "the file still held the trial's STUN-only relay map"


def wanted(facts: Facts) -> Mapping[str, Wanted]:
    """Every owned key, and the relay's keys where they follow from the facts."""
    layout = facts.layout
    values = {
        "server_url": Wanted(facts.server_url),
        "listen_addr": Wanted(facts.listen_addr),
        "metrics_listen_addr": Wanted(facts.metrics_listen_addr),
        "unix_socket": Wanted(str(layout.headscale_socket)),
        "unix_socket_permission": Wanted("0600"),
        "grpc_allow_insecure": Wanted(False),
        "trusted_proxies": Wanted([]),
        "noise.private_key_path": Wanted(str(layout.noise_key)),
        "derp.server.private_key_path": Wanted(str(layout.derp_key)),
        "database.type": Wanted("sqlite", also=("sqlite3",)),
        "database.sqlite.path": Wanted(str(layout.database)),
        "tls_letsencrypt_hostname": Wanted(""),
        "tls_cert_path": Wanted(""),
        "tls_key_path": Wanted(""),
        "log.level": Wanted("info", also=("debug", "trace")),
        "log.format": Wanted("json"),
        "policy.mode": Wanted("database"),
    }
    return {**values, **(stun_only(facts) if facts.derp is Derp.STUN_ONLY else {})}


def stun_only(facts: Facts) -> Mapping[str, Wanted]:
    return {
        "derp.server.enabled": Wanted(True, _TRIAL),
        "derp.server.stun_listen_addr": Wanted(facts.stun_listen_addr, _TRIAL),
        "derp.server.automatically_add_embedded_derp_region": Wanted(False, _TRIAL),
        "derp.paths": Wanted([str(facts.layout.derp_map)], _TRIAL),
        "derp.urls": Wanted([], _TRIAL),
    }


def after_a_trial(facts: Facts) -> Mapping[str, Wanted]:
    """For a file that a trial left behind, now that there is TLS."""
    return {
        "derp.server.enabled": Wanted(True, _BACK),
        "derp.server.stun_listen_addr": Wanted(facts.stun_listen_addr, _BACK),
        "derp.server.automatically_add_embedded_derp_region": Wanted(True, _BACK),
        "derp.paths": Wanted([], _BACK),
    }
