"""Every key of hsadmin.yaml, once: its name, kind, default, and the help that stands above it in the example file.

Defaults are written as they would stand in the file and go through the same kinds, so a default can never be something a person could not write.
"""

from __future__ import annotations

from dataclasses import dataclass

from hsadmin.config import kinds
from hsadmin.config.kinds import Kind, at_least_one, number, optional, several, words
from hsadmin.config.shape import TlsMode


@dataclass(frozen=True, slots=True)
class Key:
    """`default` is the text of a scalar or the texts of a list, None is null; a `required` key has none, and `example` stands in the file."""

    name: str
    kind: Kind
    default: str | tuple[str, ...] | None
    help: str
    required: bool = False
    example: str = ""

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def leaf(self) -> str:
        return self.name.rpartition(".")[2]


SECTIONS = {
    "server": "Where hsadmin is reached, and by whom.",
    "tls": "The certificate of the public port.",
    "auth": "Signing in to the console.",
    "headscale": "The headscale that hsadmin runs. Its own settings live in WORK_DIR/headscale/headscale.yaml.",
    "front": "The public port's processes.",
    "limits": "What the public port puts up with. Tunnels have no idle limit.",
    "log": "What hsadmin says about itself.",
}

KEYS = (
    Key(
        "work_dir",
        kinds.PATH,
        "/var/lib/hsadmin",
        "Everything hsadmin keeps: headscale's database, keys and settings, certificates, sockets. Made with mode 0700.\n"
        "At most 88 bytes long, as it holds Unix sockets.",
    ),
    Key(
        "bin_dir",
        optional(kinds.PATH),
        None,
        "The shelf of headscale binaries. null: the folder bin below work_dir. Point it elsewhere if work_dir is mounted noexec.",
    ),
    Key(
        "server.public_url",
        kinds.PUBLIC_URL,
        None,
        "The address that devices and browsers use; `tailscale up --login-server` is given this. Devices keep it: choose a name that stays.\n"
        "It must be https, except on loopback or behind trusted proxies with tls.mode off.",
        required=True,
        example="https://tailnet.example.com",
    ),
    Key(
        "server.extra_hosts",
        several(kinds.HOST),
        (),
        "Further host names that requests may name. A request for any other host gets an empty 421.",
    ),
    Key(
        "server.listen",
        at_least_one(several(kinds.LISTEN)),
        ("tcp:443",),
        "Public listeners, one or several, all with TLS unless tls.mode is off:\n"
        f"{kinds.LISTEN.allowed}.\n"
        "tcp is IPv4 and tcp6 is IPv6; for both write [tcp:443, tcp6:443].\n"
        "headscale's STUN server (UDP 3478, derp.server.stun_listen_addr in headscale.yaml) is the only other public socket.",
    ),
    Key(
        "server.redirect_listen",
        several(kinds.LISTEN),
        (),
        "Listeners that answer plain HTTP with a redirect to public_url, such as tcp:80. Needs TLS on the public ones.",
    ),
    Key(
        "server.local_listen",
        several(kinds.LISTEN),
        (),
        "Listeners for /healthz and /readyz in plain HTTP, on loopback or a Unix socket only, such as tcp:9180:interface=127.0.0.1.",
    ),
    Key(
        "server.root",
        kinds.ROOT,
        "connect",
        "What a visitor of / gets: connect (the page on how to join), not_found (404), or a redirect to the address written here.",
    ),
    Key(
        "server.public_signup",
        kinds.TRUTH,
        "true",
        "Whether the pages that a device's owner needs to join stay reachable where console_allow_from shuts the console.",
    ),
    Key(
        "server.console_allow_from",
        several(kinds.NETWORK),
        (),
        "Networks from which the console may be used; empty: from anywhere. Others get 404, as if there were none.",
    ),
    Key(
        "server.trusted_proxies",
        several(kinds.PROXIES),
        (),
        "Networks of reverse proxies in front of hsadmin, whose X-Forwarded-For is believed. With tls.mode off and a listener beyond\n"
        "loopback, connections from anywhere else are dropped.",
    ),
    Key(
        "tls.mode",
        words("off", "files", "self-signed", into=TlsMode),
        "self-signed",
        "files: tls.cert and tls.key. self-signed: hsadmin makes a small authority of its own and offers it on the connect page; only\n"
        "devices that trust it can join, so it suits a first look, not a company. off: plain HTTP, on loopback or behind trusted_proxies.",
    ),
    Key("tls.cert", optional(kinds.PATH), None, "PEM file: the certificate and its chain. Read anew on SIGHUP and when it changes."),
    Key("tls.key", optional(kinds.PATH), None, "PEM file: the private key of tls.cert."),
    Key(
        "auth.disabled",
        kinds.TRUTH,
        "false",
        "Opens the console to everybody on this machine, without signing in. Refused unless listeners and public_url are on loopback and\n"
        "there are no trusted_proxies.",
    ),
    Key(
        "headscale.version",
        kinds.VERSION,
        "0.29.3",
        "The release to run. What hsadmin can fetch and verify is listed by `hsadmin engine list`.",
    ),
    Key(
        "headscale.binary",
        optional(kinds.PATH),
        None,
        "A headscale of your own to run instead of a fetched one. It must be of that version.",
    ),
    Key(
        "headscale.sha256",
        optional(kinds.SHA256),
        None,
        "What the binary's SHA-256 must be. Without it, a binary that hsadmin has no pin for is trusted as first seen.",
    ),
    Key(
        "front.workers",
        number(0, 64),
        "0",
        "Processes that share the public port; 0 serves it in the main process. Choose 1 from about 1,000 nodes or 2,000 tunnels on, so that\n"
        "nothing the console does holds them up; more only when one core is not enough. At most one for each core is of use.",
    ),
    Key("limits.handshake_seconds", number(1, 120, "seconds"), "10", "A TLS handshake may take this long."),
    Key("limits.head_seconds", number(1, 120, "seconds"), "10", "A request's head may take this long, from its first byte on."),
    Key("limits.idle_seconds", number(1, 600, "seconds"), "30", "A connection without a request stays open this long."),
    Key("limits.body_seconds", number(1, 600, "seconds"), "30", "A request's body may pause this long between two pieces."),
    Key(
        "limits.connections_per_source",
        number(1, 1_000_000),
        "64",
        "Connections per address (IPv6: per /64) that are not tunnels, in each process that serves the port. A company behind one address\n"
        "may hold thousands of tunnels.",
    ),
    Key(
        "limits.connections_total", number(0, 1_000_000), "0", "All connections, tunnels included. 0: what the limit of open files allows."
    ),
    Key(
        "limits.parked_requests",
        number(0, 1_000_000),
        "4096",
        "Requests held while headscale restarts; a source may hold a quarter of them.",
    ),
    Key("limits.park_seconds", number(0, 60, "seconds"), "8", "A request is held this long, then answered 503 with Retry-After."),
    Key("log.level", words("debug", "info", "warning", "error"), "info", "The least important level that is written."),
    Key("log.format", words("text", "json"), "json", "json for machines: one object per line; text for people."),
    Key("log.file", optional(kinds.PATH), None, "A file instead of standard output; opened anew on SIGHUP."),
    Key(
        "log.access",
        kinds.TRUTH,
        "true",
        "One line per finished request or tunnel. Paths that can hold tokens or registration ids are never written, only route names.",
    ),
)

BY_NAME = {key.name: key for key in KEYS}
