"""Combinations that cannot be: each rule looks at the whole configuration and names the one key to change, with its reason beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hsadmin.config.listen import Kind, Listen
from hsadmin.config.shape import Config, TlsMode
from hsadmin.model.layout import LONGEST_SOCKET_PATH, Layout, socket_path_bytes


@dataclass(frozen=True, slots=True)
class Clash:
    """`key` is the one to look at; `sentence` says what was found and what is allowed."""

    key: str
    sentence: str


Rule = Callable[[Config], Iterator[Clash]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    RULES.append(function)
    return function


def clashes(config: Config) -> Iterator[Clash]:
    """Every broken rule, in the order of RULES."""
    for judge in RULES:
        yield from judge(config)


@rule
def sockets_fit(config: Config) -> Iterator[Clash]:
    """The kernel cuts no path for us: bind fails with "invalid argument", of headscale's socket only after its migrations ran."""
    for path in Layout(config.work_dir).sockets:
        length = socket_path_bytes(path)
        if length > LONGEST_SOCKET_PATH:
            yield Clash(
                "work_dir",
                f"the socket {path} would have a path of {length} bytes; the system allows {LONGEST_SOCKET_PATH}, so choose a shorter folder",
            )
            return


@rule
def unix_listeners_fit(config: Config) -> Iterator[Clash]:
    for key, listen in _listeners(config):
        if listen.path is not None and (length := socket_path_bytes(listen.path)) > LONGEST_SOCKET_PATH:
            yield Clash(key, f"the socket {listen.path} would have a path of {length} bytes; the system allows {LONGEST_SOCKET_PATH}")


@rule
def files_are_named(config: Config) -> Iterator[Clash]:
    for key, path in (("tls.cert", config.tls.cert), ("tls.key", config.tls.key)):
        if config.tls.mode is TlsMode.FILES and path is None:
            yield Clash("tls.mode", f"'files' was found without {key}; both tls.cert and tls.key are needed")
        if config.tls.mode is not TlsMode.FILES and path is not None:
            yield Clash(key, f"a file was found with tls.mode {config.tls.mode}; it is used only with tls.mode files")


@rule
def local_means_local(config: Config) -> Iterator[Clash]:
    """Health and readiness tell a stranger what runs here and when it is weak."""
    for listen in config.server.local_listen:
        if not listen.local:
            yield Clash("server.local_listen", f"{listen.text!r} was found; allowed are a loopback address and a Unix socket")


@rule
def plain_http_stays_at_home(config: Config) -> Iterator[Clash]:
    """Whoever reaches a plain listener directly could claim any address, and would be answered without TLS."""
    if config.drops_untrusted and not config.server.trusted_proxies:
        listen = next(listen for listen in config.server.listen if not listen.local)
        yield Clash(
            "tls.mode",
            f"'off' was found while server.listen {listen.text!r} is reachable from outside this machine; "
            "allowed with loopback listeners, or with server.trusted_proxies naming the proxies that do TLS",
        )


@rule
def scheme_fits_tls(config: Config) -> Iterator[Clash]:
    url, server = config.server.public_url, config.server
    if config.tls.mode is not TlsMode.OFF:
        if url.scheme == "http":
            yield Clash("server.public_url", f"{url.text!r} was found with tls.mode {config.tls.mode}; allowed is https, or tls.mode off")
    elif url.scheme == "https":
        if not server.trusted_proxies and not all(listen.unix for listen in server.listen):
            yield Clash(
                "server.public_url",
                f"{url.text!r} was found with tls.mode off and no server.trusted_proxies, so nobody would do the TLS; "
                "allowed is http on loopback, or naming the proxies that do it",
            )
    elif not url.loopback and not server.trusted_proxies:
        yield Clash(
            "server.public_url",
            f"{url.text!r} was found; http is allowed only for a loopback host, or behind server.trusted_proxies",
        )


@rule
def redirect_has_a_goal(config: Config) -> Iterator[Clash]:
    if config.server.redirect_listen and config.tls.mode is TlsMode.OFF:
        yield Clash("server.redirect_listen", "a listener was found with tls.mode off; a redirect to https is then the proxy's task")


@rule
def root_leads_away(config: Config) -> Iterator[Clash]:
    if config.server.root.rstrip("/") == config.server.public_url.text:
        yield Clash("server.root", f"{config.server.root!r} was found, which is this very page; a redirect to it would never end")


@rule
def no_listener_twice(config: Config) -> Iterator[Clash]:
    seen: list[Listen] = []
    for key, listen in _listeners(config):
        other = next((other for other in seen if _overlap(listen, other)), None)
        if other is not None:
            yield Clash(key, f"{listen.text!r} was found beside {other.text!r}; each address can be listened on once")
        seen.append(listen)


@rule
def open_console_stays_at_home(config: Config) -> Iterator[Clash]:
    """Without sign-in, being on this machine is the only proof there is."""
    if not config.auth.disabled:
        return
    if config.server.trusted_proxies:
        yield Clash(
            "auth.disabled", "true was found with server.trusted_proxies; allowed without proxies only, they bring visitors from elsewhere"
        )
    for key, listen in _listeners(config):
        if not listen.loopback:
            yield Clash(
                "auth.disabled",
                f"true was found with {key} {listen.text!r}; allowed with listeners on loopback addresses only, "
                "such as tcp:8080:interface=127.0.0.1",
            )
            return
    if not config.server.public_url.loopback:
        yield Clash(
            "auth.disabled",
            f"true was found with server.public_url {config.server.public_url.text!r}; allowed with localhost, 127.0.0.1 or [::1] only",
        )


def _listeners(config: Config) -> Iterator[tuple[str, Listen]]:
    server = config.server
    for key, listeners in (
        ("server.listen", server.listen),
        ("server.redirect_listen", server.redirect_listen),
        ("server.local_listen", server.local_listen),
    ):
        for listen in listeners:
            yield key, listen


def _overlap(one: Listen, other: Listen) -> bool:
    if one.kind is not other.kind:
        return False
    if one.kind in {Kind.TCP, Kind.TCP6}:
        return one.port == other.port and (one.interface == other.interface or not one.interface or not other.interface)
    return (one.path, one.domain, one.index, one.name) == (other.path, other.domain, other.index, other.name)
