"""With what headscale would not start, each rule with the words that a person needs; headscale's own come late, and some only in a crash loop.

A rule sees the values that would count once the owned keys are right. Source: headscale's hscontrol/types/config.go and app.go, 0.29.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from hsadmin.settings.obsolete import OBSOLETE
from hsadmin.settings.read import Reading
from hsadmin.settings.scalars import Value

Effective = Callable[[str], Value]
Rule = Callable[[Effective, Reading], Iterator[tuple[str, str]]]
"""Yields (key, sentence): the key is the one to change."""

FATAL: list[Rule] = []
WORRYING: list[Rule] = []


def fatal(rule: Rule) -> Rule:
    FATAL.append(rule)
    return rule


def worrying(rule: Rule) -> Rule:
    WORRYING.append(rule)
    return rule


@fatal
def removed_keys(_effective: Effective, reading: Reading) -> Iterator[tuple[str, str]]:
    for name, old in OBSOLETE.items():
        if old.fatal and reading.stands(name) and not (old.unless and reading.stands(old.unless)):
            yield name, f"headscale 0.29 does not start with this key; {old.instead}"


@fatal
def one_home_for_records(_effective: Effective, reading: Reading) -> Iterator[tuple[str, str]]:
    """Being written counts, even with an empty list."""
    if reading.stands("dns.extra_records") and reading.stands("dns.extra_records_path"):
        yield (
            "dns.extra_records",
            "headscale does not start with this key beside dns.extra_records_path, even if one is empty; remove one of them",
        )


@fatal
def names_need_a_domain(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    domain = str(effective("dns.base_domain"))
    if effective("dns.magic_dns") and not domain:
        yield "dns.base_domain", "headscale does not start without a domain here while dns.magic_dns is true"
    if domain.endswith("."):
        yield "dns.base_domain", f"{domain!r} was found; write it without the dot at its end"


@fatal
def server_outside_the_tailnet_domain(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    """Clients take the whole domain for the tailnet's and would look for the server inside. headscale itself misses the second case with a port."""
    domain = str(effective("dns.base_domain")).lower()
    host = (urlsplit(str(effective("server_url"))).hostname or "").lower()
    if domain and (host == domain or host.endswith(f".{domain}")):
        yield (
            "dns.base_domain",
            f"{domain!r} was found, but the server itself is {host!r}; clients would look for it inside the tailnet, so choose another domain",
        )


@fatal
def overriding_needs_name_servers(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    if effective("dns.override_local_dns") and not effective("dns.nameservers.global"):
        yield (
            "dns.override_local_dns",
            "headscale does not start with true and an empty dns.nameservers.global; write false, or name servers",
        )


@fatal
def ephemeral_nodes_stay_long_enough(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    if _seconds(effective("node.ephemeral.inactivity_timeout")) <= 65:
        yield "node.ephemeral.inactivity_timeout", "headscale does not start with 65s or less; write a duration with its unit, such as 30m"


@fatal
def probes_have_time(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    interval, timeout = _seconds(effective("node.routes.ha.probe_interval")), _seconds(effective("node.routes.ha.probe_timeout"))
    if interval <= 0:
        return
    if interval < 2:
        yield "node.routes.ha.probe_interval", "headscale does not start with less than 2s; 0s turns the probes off"
    if timeout < 1:
        yield "node.routes.ha.probe_timeout", "headscale does not start with less than 1s"
    elif timeout >= interval:
        yield "node.routes.ha.probe_timeout", "headscale does not start unless this is less than node.routes.ha.probe_interval"


@fatal
def batches_are_positive(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    for name in ("tuning.node_store_batch_size", "tuning.node_store_batch_timeout"):
        if _seconds(effective(name)) <= 0:
            yield name, "headscale does not start unless this is more than 0"


@fatal
def addresses_for_nodes(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    texts = {name: str(effective(name)) for name in ("prefixes.v4", "prefixes.v6")}
    if not any(texts.values()):
        yield "prefixes.v4", "headscale does not start without prefixes.v4 or prefixes.v6"
    for name, text in texts.items():
        if text and _network(text) is None:
            yield name, f"{text!r} was found; headscale does not start unless it is a network such as 100.64.0.0/10"
    if effective("prefixes.allocation") not in {"sequential", "random"}:
        yield "prefixes.allocation", f"{effective('prefixes.allocation')!r} was found; headscale starts with sequential or random only"


@fatal
def there_is_a_relay_map(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    enabled, paths = effective("derp.server.enabled"), effective("derp.paths")
    if enabled:
        if not effective("derp.server.stun_listen_addr"):
            yield "derp.server.stun_listen_addr", "headscale does not start its relay without an address for STUN, such as 0.0.0.0:3478"
        if not effective("derp.server.automatically_add_embedded_derp_region") and not paths:
            yield (
                "derp.server.automatically_add_embedded_derp_region",
                "headscale does not start with false here unless derp.paths names a file with the relay's region",
            )
    elif not paths and not effective("derp.urls"):
        yield "derp.server.enabled", "headscale does not start without any relay: enable its own, or name maps in derp.paths"


@fatal
def one_secret(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    if effective("oidc.client_secret") and effective("oidc.client_secret_path"):
        yield "oidc.client_secret", "headscale does not start with this key beside oidc.client_secret_path; keep the file"


@fatal
def known_challenge(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    if effective("tls_letsencrypt_challenge_type") not in {"HTTP-01", "TLS-ALPN-01"}:
        yield (
            "tls_letsencrypt_challenge_type",
            "headscale starts with HTTP-01 or TLS-ALPN-01 only, though hsadmin does its TLS; remove the key",
        )


@worrying
def old_keys(_effective: Effective, reading: Reading) -> Iterator[tuple[str, str]]:
    for name, old in OBSOLETE.items():
        if reading.stands(name) and not (old.fatal and not (old.unless and reading.stands(old.unless))):
            yield name, f"headscale 0.29 ignores this key; {old.instead}"


@worrying
def remote_maps(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    if effective("derp.urls"):
        yield "derp.urls", "headscale starts only while every one of these addresses answers; a file in derp.paths has no such risk"


@worrying
def own_region_has_a_number(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    automatic = effective("derp.server.enabled") and effective("derp.server.automatically_add_embedded_derp_region")
    if automatic and _seconds(effective("derp.server.region_id")) <= 0:
        yield "derp.server.region_id", "clients do not use a region without a positive number, such as 999"


@worrying
def addresses_that_clients_know(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    for name, all_of_it in (("prefixes.v4", IPv4Network("100.64.0.0/10")), ("prefixes.v6", IPv6Network("fd7a:115c:a1e0::/48"))):
        network = _network(str(effective(name)))
        if network is not None and not (network.version == all_of_it.version and network.subnet_of(all_of_it)):  # type: ignore[arg-type] # same version
            yield name, f"{network} is not inside {all_of_it}, the only addresses that clients handle well"


@worrying
def paths_are_absolute(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    """headscale takes these from its working directory, others from the file's folder."""
    paths = effective("derp.paths")
    for name, path in [("derp.paths", path) for path in (paths if isinstance(paths, list) else [])] + [
        (name, effective(name)) for name in ("dns.extra_records_path", "oidc.client_secret_path")
    ]:
        if path and not str(path).startswith(("/", "$")):
            yield name, f"{path!r} is not an absolute path; headscale would look for it in its working directory"


@worrying
def sign_in_provider_may_fail(effective: Effective, _reading: Reading) -> Iterator[tuple[str, str]]:
    if effective("oidc.issuer") and effective("oidc.only_start_if_oidc_is_available"):
        yield "oidc.only_start_if_oidc_is_available", "headscale does not start while the provider does not answer; false lets it"


def _seconds(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None
