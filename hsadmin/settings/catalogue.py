"""Every key that headscale 0.29 reads, once: its kind, headscale's default, what hsadmin writes at first, help, and what a change needs.

Keys marked `owned` are hsadmin's: it writes them again whenever something else stands there, because the reason beside each would break otherwise.
Everything else is the operator's from the first render on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hsadmin.settings import kinds
from hsadmin.settings.kinds import Kind
from hsadmin.settings.scalars import Value


class Needs(StrEnum):
    """What a changed value needs before it counts."""

    NOTHING = "nothing"  # read anew each time (the command line's keys)
    RELOAD = "reload"  # SIGHUP
    RESTART = "restart"


class Unset:
    """headscale has no default of its own."""


UNSET = Unset()


class Shown(StrEnum):
    """How the first render shows a key."""

    SET = "set"  # with the value of `first`, or of the facts
    COMMENTED = "commented"  # commented out, with headscale's default
    HIDDEN = "hidden"  # not at all: known, but nothing for this product


@dataclass(frozen=True, slots=True)
class Setting:
    """`default` is headscale's own; `first` is what hsadmin writes at first, None when that comes from the facts or is nothing; `owned` says
    why the key is hsadmin's, "" when it is not."""

    name: str
    kind: Kind
    default: Value | Unset
    help: str
    first: Value = None
    shown: Shown = Shown.SET
    owned: str = ""
    needs: Needs = Needs.RESTART

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))


_ADDRESS = "hsadmin chose this port and connects to it"
_PATH = "hsadmin keeps, backs up and restores this file"
_FRONT = "TLS is the front's task; headscale listens on loopback only"


def _later(name: str, kind: Kind, default: Value | Unset, text: str) -> Setting:
    return Setting(name, kind, default, text, shown=Shown.COMMENTED)


def _hidden(name: str, kind: Kind, default: Value | Unset = UNSET, *, owned: str = "", needs: Needs = Needs.RESTART) -> Setting:
    return Setting(name, kind, default, "", shown=Shown.HIDDEN, owned=owned, needs=needs)


SETTINGS = (
    Setting(
        "server_url",
        kinds.TEXT,
        UNSET,
        "The address that clients use: server.public_url of hsadmin.yaml.",
        owned="it is server.public_url of hsadmin.yaml",
    ),
    Setting("listen_addr", kinds.TEXT, "", "Where headscale listens, for hsadmin's front alone.", owned=_ADDRESS),
    Setting("metrics_listen_addr", kinds.TEXT, "", "Metrics and debug pages, for hsadmin alone.", owned=_ADDRESS),
    Setting(
        "unix_socket",
        kinds.TEXT,
        "/var/run/headscale/headscale.sock",
        "headscale's API without a key: whoever opens this socket is its master.",
        owned="hsadmin speaks to headscale here",
    ),
    Setting(
        "unix_socket_permission",
        kinds.TEXT,
        "0o770",
        'An octal mode in quotes: "0o770" would not be read, and 0770 without quotes would be the number 504.',
        first="0600",
        owned="only hsadmin's own user may open the socket, which asks for no key",
    ),
    _hidden("grpc_listen_addr", kinds.TEXT, ":50443"),
    _hidden("grpc_allow_insecure", kinds.BOOLEAN, False, owned="headscale's API must not be reachable in the clear"),
    _hidden(
        "trusted_proxies",
        kinds.TEXTS,
        [],
        owned="the front sends no forwarding fields, so whoever named a proxy here could only be lied to",
    ),
    Setting(
        "disable_check_updates",
        kinds.BOOLEAN,
        False,
        "Whether headscale asks for newer releases at each start; hsadmin knows its own pins.",
        first=True,
    ),
    Setting(
        "noise.private_key_path",
        kinds.TEXT,
        UNSET,
        "The control protocol's key. Losing it means that every client must join anew.",
        owned=_PATH,
    ),
    Setting("prefixes.v4", kinds.TEXT, "", "Addresses of nodes: 100.64.0.0/10 or a part of it.", first="100.64.0.0/10"),
    Setting("prefixes.v6", kinds.TEXT, "", "Addresses of nodes: fd7a:115c:a1e0::/48 or a part of it.", first="fd7a:115c:a1e0::/48"),
    Setting(
        "prefixes.allocation",
        kinds.one_of("sequential", "random"),
        "sequential",
        "How addresses are picked: sequential or random.",
        first="sequential",
    ),
    Setting(
        "derp.server.enabled",
        kinds.BOOLEAN,
        False,
        "headscale's own relay, for clients that cannot reach each other directly. Clients need TLS for it.",
        first=True,
    ),
    Setting("derp.server.region_id", kinds.WHOLE, 0, "The relay's region; not 0.", first=999),
    Setting("derp.server.region_code", kinds.TEXT, "", "Its short name in clients.", first="headscale"),
    Setting("derp.server.region_name", kinds.TEXT, "", "Its name in clients.", first="headscale"),
    Setting("derp.server.verify_clients", kinds.BOOLEAN, True, "Whether only nodes of this tailnet may use the relay.", first=True),
    Setting(
        "derp.server.stun_listen_addr",
        kinds.TEXT,
        "",
        "STUN over UDP, by which clients learn their public address: the one public socket besides hsadmin's port. Open it in the firewall.",
    ),
    Setting("derp.server.private_key_path", kinds.TEXT, "", "The relay's key.", owned=_PATH),
    Setting(
        "derp.server.automatically_add_embedded_derp_region",
        kinds.BOOLEAN,
        True,
        "Whether the relay is put into the map by itself; if not, a file of derp.paths must name it.",
        first=True,
    ),
    _later("derp.server.ipv4", kinds.TEXT, "", "The relay's public address, if clients cannot rely on DNS."),
    _later("derp.server.ipv6", kinds.TEXT, "", "The relay's public IPv6 address, if clients cannot rely on DNS."),
    _hidden("derp.server.stun.enabled", kinds.BOOLEAN, True),
    Setting(
        "derp.urls",
        kinds.TEXTS,
        [],
        "Relay maps fetched at every start. headscale does not start while one of them cannot be fetched: prefer a file in paths.",
        first=[],
    ),
    Setting("derp.paths", kinds.TEXTS, [], "Relay maps as YAML files with lower-case keys; absolute paths.", first=[]),
    Setting("derp.auto_update_enabled", kinds.BOOLEAN, False, "Whether urls and paths are read anew from time to time.", first=True),
    Setting("derp.update_frequency", kinds.DURATION, "3h", "How often.", first="3h"),
    Setting(
        "node.expiry",
        kinds.CALENDAR_DURATION,
        "0",
        'After how long nodes without tags must sign in again, such as 180d; "0": never.',
        first="0",
    ),
    Setting(
        "node.ephemeral.inactivity_timeout",
        kinds.DURATION,
        "120s",
        "When an ephemeral node that is away is removed; more than 65s.",
        first="30m",
    ),
    Setting(
        "node.routes.ha.probe_interval",
        kinds.DURATION,
        "10s",
        "How often routers that stand in for each other are asked; at least 2s, 0s: never.",
        first="10s",
    ),
    Setting(
        "node.routes.ha.probe_timeout",
        kinds.DURATION,
        "5s",
        "When a router counts as silent; at least 1s and less than the interval.",
        first="5s",
    ),
    Setting(
        "database.type",
        kinds.one_of("sqlite", "sqlite3", "postgres"),
        UNSET,
        "The only one hsadmin can back up.",
        first="sqlite",
        owned="hsadmin backs up SQLite",
    ),
    Setting("database.sqlite.path", kinds.TEXT, UNSET, "Users, nodes, keys and the policy.", owned=_PATH),
    Setting(
        "database.sqlite.write_ahead_log",
        kinds.BOOLEAN,
        True,
        "false only leaves out the clean-up at the end: the log is written either way.",
        first=True,
    ),
    Setting("database.sqlite.wal_autocheckpoint", kinds.WHOLE, 1000, "Pages in the log before it is folded back.", first=1000),
    Setting("database.gorm.prepare_stmt", kinds.BOOLEAN, False, "Prepared statements.", first=True),
    Setting("database.gorm.parameterized_queries", kinds.BOOLEAN, False, "Keeps values out of the query log.", first=True),
    Setting("database.gorm.skip_err_record_not_found", kinds.BOOLEAN, False, "Does not log what is simply not there.", first=True),
    Setting("database.gorm.slow_threshold", kinds.WHOLE, 0, "Milliseconds from which a query is logged as slow.", first=1000),
    _later("database.debug", kinds.BOOLEAN, False, "Logs every query; needs log.level debug."),
    *(_hidden(f"database.postgres.{name}", kinds.TEXT) for name in ("host", "port", "name", "user", "pass", "ssl")),
    _hidden("database.postgres.max_open_conns", kinds.WHOLE, 10),
    _hidden("database.postgres.max_idle_conns", kinds.WHOLE, 10),
    _hidden("database.postgres.conn_max_idle_time_secs", kinds.WHOLE, 3600),
    _hidden("acme_url", kinds.TEXT, ""),
    _hidden("acme_email", kinds.TEXT, ""),
    _hidden("tls_letsencrypt_hostname", kinds.TEXT, "", owned=_FRONT),
    _hidden("tls_letsencrypt_cache_dir", kinds.TEXT, "/var/www/.cache"),
    _hidden("tls_letsencrypt_challenge_type", kinds.TEXT, "HTTP-01"),
    _hidden("tls_letsencrypt_listen", kinds.TEXT, ""),
    _hidden("tls_cert_path", kinds.TEXT, "", owned=_FRONT),
    _hidden("tls_key_path", kinds.TEXT, "", owned=_FRONT),
    Setting(
        "log.level",
        kinds.one_of("trace", "debug", "info", "warn", "error", "fatal", "panic"),
        "info",
        "info, debug or trace: anything less hides the lines by which hsadmin knows of devices that wait.",
        first="info",
        owned="hsadmin reads headscale's info lines",
    ),
    Setting(
        "log.format",
        kinds.one_of("text", "json"),
        "text",
        "json: one object per line.",
        first="json",
        owned="hsadmin reads headscale's lines as JSON",
    ),
    Setting(
        "policy.mode",
        kinds.one_of("file", "database"),
        "file",
        "database: the policy is changed through hsadmin, and in force at once.",
        first="database",
        owned="hsadmin changes the policy through headscale's API, which a policy file shuts",
    ),
    _hidden("policy.path", kinds.TEXT, ""),
    Setting("dns.magic_dns", kinds.BOOLEAN, True, "Names for nodes: HOST.BASE_DOMAIN.", first=True),
    Setting(
        "dns.base_domain", kinds.TEXT, "", "The domain of those names, without a dot at the end; the server's own name must not be in it."
    ),
    Setting(
        "dns.override_local_dns",
        kinds.BOOLEAN,
        True,
        "Whether clients use nameservers.global for everything; then there must be at least one.",
        first=False,
    ),
    Setting("dns.nameservers.global", kinds.TEXTS, [], "Addresses of name servers, or https:// addresses of DNS over HTTPS.", first=[]),
    Setting(
        "dns.nameservers.split", kinds.SERVERS_BY_DOMAIN, {}, "Name servers for single domains: {example.com: [192.0.2.53]}.", first={}
    ),
    Setting("dns.search_domains", kinds.TEXTS, [], "Searched after base_domain.", first=[]),
    _later(
        "dns.extra_records",
        kinds.RECORDS,
        UNSET,
        "Further names: [{name: a.tailnet.internal, type: A, value: 100.64.0.3}]. Not together with extra_records_path.",
    ),
    _later("dns.extra_records_path", kinds.TEXT, "", "The same from a JSON file that is watched; an absolute path."),
    Setting("logtail.enabled", kinds.BOOLEAN, False, "Whether clients send their logs to Tailscale Inc.", first=False),
    Setting("taildrop.enabled", kinds.BOOLEAN, True, "Whether nodes may send each other files.", first=True),
    Setting("auto_update.enabled", kinds.BOOLEAN, False, "Whether clients are told to update themselves.", first=False),
    Setting(
        "tuning.register_cache_max_entries",
        kinds.WHOLE,
        0,
        "Devices that may wait for approval at once. Any stranger can add some, and the oldest fall out, so the default of 1024 is too few.",
        first=65536,
    ),
    _later("tuning.register_cache_expiration", kinds.DURATION, "15m", "How long a device may wait for approval."),
    _later("tuning.batch_change_delay", kinds.DURATION, "800ms", "How long changes are gathered before clients are told."),
    _later("tuning.notifier_send_timeout", kinds.DURATION, "800ms", "How long telling a client may take."),
    _later("tuning.node_mapsession_buffered_chan_size", kinds.WHOLE, 30, "Changes queued for each client."),
    _later("tuning.batcher_workers", kinds.WHOLE, 0, "Workers that tell clients; 0: three quarters of the cores."),
    _later("tuning.node_store_batch_size", kinds.WHOLE, 100, "Writes gathered before the peer map is built anew; more than 0."),
    _later("tuning.node_store_batch_timeout", kinds.DURATION, "500ms", "How long writes are gathered at most; more than 0."),
    _later("oidc.issuer", kinds.TEXT, "", "The identity provider's address; setting it turns sign-in by OpenID Connect on."),
    _later("oidc.client_id", kinds.TEXT, "", "headscale's name at the provider."),
    _later("oidc.client_secret_path", kinds.TEXT, "", "The file that holds its secret; an absolute path."),
    _hidden("oidc.client_secret", kinds.TEXT, ""),
    _later(
        "oidc.only_start_if_oidc_is_available",
        kinds.BOOLEAN,
        True,
        "true: headscale does not start while the provider does not answer. Better false.",
    ),
    _later("oidc.scope", kinds.TEXTS, ["openid", "profile", "email"], "What is asked for."),
    _later("oidc.extra_params", kinds.WORDS, {}, "Further parameters of the request; names are lower case."),
    _later("oidc.allowed_domains", kinds.TEXTS, [], "Only e-mail addresses of these domains."),
    _later("oidc.allowed_users", kinds.TEXTS, [], "Only these e-mail addresses."),
    _later("oidc.allowed_groups", kinds.TEXTS, [], "Only members of one of these groups."),
    _later("oidc.email_verified_required", kinds.BOOLEAN, True, "Whether only verified e-mail addresses count."),
    _later("oidc.use_expiry_from_token", kinds.BOOLEAN, False, "Whether a node expires with the provider's token, often within the hour."),
    _later("oidc.pkce.enabled", kinds.BOOLEAN, False, "Proof Key for Code Exchange."),
    _later("oidc.pkce.method", kinds.one_of("S256", "plain"), "S256", "Its method."),
    _hidden("cli.address", kinds.TEXT, "", needs=Needs.NOTHING),
    _hidden("cli.api_key", kinds.TEXT, "", needs=Needs.NOTHING),
    _hidden("cli.timeout", kinds.DURATION, "5s", needs=Needs.NOTHING),
    _hidden("cli.insecure", kinds.BOOLEAN, False, needs=Needs.NOTHING),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}
OWNED = tuple(setting.name for setting in SETTINGS if setting.owned)
WHOLE = frozenset(setting.name for setting in SETTINGS if setting.kind in {kinds.SERVERS_BY_DOMAIN, kinds.WORDS})
"""Names whose value is a mapping; what stands below them are not settings."""
SECRETS = frozenset({"oidc.client_secret", "cli.api_key", "database.postgres.pass"})
"""Values that are never repeated in a sentence."""

SECTION_HELP = {
    "noise": "The control protocol.",
    "prefixes": "Addresses that nodes are given.",
    "derp": "Relays (DERP) and STUN.",
    "node": "Nodes in general.",
    "database": "Where headscale keeps everything.",
    "log": "What headscale says; hsadmin reads it.",
    "policy": "Who may reach what.",
    "dns": "What clients are told about names.",
    "tuning": "Queues and batches.",
    "oidc": "Sign-in by an identity provider (OpenID Connect).",
}
