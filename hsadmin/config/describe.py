"""What a configuration comes to, in lines for a person: for `hsadmin check` and the start of the log. Holds no secret: there is none in a Config."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hsadmin.config.listen import Listen
from hsadmin.config.shape import Config, TlsMode


def describe(config: Config) -> Sequence[str]:
    """One fact per line, most important first."""
    server = config.server
    lines = [
        f"configuration: {config.source or 'trial, no file'}",
        f"work directory: {config.work_dir}",
        f"headscale: {config.headscale.version}, "
        + (f"supplied: {config.headscale.binary}" if config.headscale.binary else f"from {config.bin_dir}"),
        f"public address: {server.public_url.text}" + "".join(f", {host}" for host in server.extra_hosts),
        f"listens on: {_addresses(server.listen)}, {_tls(config)}",
    ]
    if server.redirect_listen:
        lines.append(f"redirects to https from: {_addresses(server.redirect_listen)}")
    lines.append(f"health and readiness: {_addresses(server.local_listen) or 'no listener'}")
    lines.append(f"/ shows: {server.root}")
    if server.trusted_proxies:
        lines.append(f"believes X-Forwarded-For from: {_listed(server.trusted_proxies)}")
    if config.drops_untrusted:
        lines.append("drops connections from anywhere else: TLS is off")
    if config.auth.disabled:
        lines.append("console: open to everybody on this machine, sign-in is off")
    else:
        signup = "" if server.public_signup else ", the pages for joining as well"
        lines.append(f"console from: {_listed(server.console_allow_from) + signup if server.console_allow_from else 'anywhere'}")
    log = config.log
    lines.append(f"log: {log.level}, {log.format}, {log.file or 'standard output'}, access log {'on' if log.access else 'off'}")
    return lines


def _tls(config: Config) -> str:
    match config.tls.mode:
        case TlsMode.FILES:
            return f"TLS with {config.tls.cert}"
        case TlsMode.SELF_SIGNED:
            return "TLS with a self-signed authority: only devices that trust it can join"
    return "no TLS"


def _addresses(listeners: Iterable[Listen]) -> str:
    return ", ".join(listen.address for listen in listeners)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)
