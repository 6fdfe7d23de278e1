"""Combinations that cannot be, each with the key to look at."""

from __future__ import annotations

from tests.config.refusing import GOOD, Refusing

BEHIND = "tls:\n  mode: off\nserver:\n  public_url: https://tailnet.example.com\n  trusted_proxies: 10.0.0.0/8\n"
HOME = "auth: {disabled: true}\ntls: {mode: off}\nserver:\n  public_url: http://localhost:8080\n  listen: tcp:8080:interface=127.0.0.1\n"

REFUSED = (
    # what, text, line (0: none), parts of the sentence
    (
        "a path too long for sockets",
        f"{GOOD}work_dir: /{'d' * 88}\n",
        3,
        ("/run/headscale.sock would have a path of 108 bytes; the system allows 107",),
    ),
    ("a socket too long", f"{GOOD}  listen: unix:/{'d' * 107}\n", 3, ("would have a path of 108 bytes",)),
    ("files without files", f"{GOOD}tls: {{mode: files}}\n", 3, ("tls.mode: 'files' was found without tls.cert",)),
    ("files without a key", f"{GOOD}tls: {{mode: files, cert: a}}\n", 3, ("without tls.key",)),
    ("a certificate for nothing", f"{GOOD}tls: {{cert: a}}\n", 3, ("tls.cert: a file was found with tls.mode self-signed",)),
    (
        "http with TLS",
        "server: {public_url: http://x.example}\n",
        1,
        ("'http://x.example' was found with tls.mode self-signed; allowed is https",),
    ),
    (
        "plain HTTP for all",
        "server: {public_url: http://127.0.0.1}\ntls: {mode: off}\n",
        2,
        ("tls.mode: 'off' was found while server.listen 'tcp:443' is reachable from outside",),
    ),
    (
        "https that nobody does",
        "server: {public_url: https://x.example, listen: tcp:80:interface=127.0.0.1}\ntls: {mode: off}\n",
        1,
        ("so nobody would do the TLS",),
    ),
    (
        "plain HTTP in public",
        "server: {public_url: http://x.example, listen: tcp:80:interface=127.0.0.1}\ntls: {mode: off}\n",
        1,
        ("http is allowed only for a loopback host",),
    ),
    (
        "a redirect without TLS",
        f"{BEHIND}  redirect_listen: tcp:80\n",
        6,
        ("server.redirect_listen: a listener was found with tls.mode off",),
    ),
    (
        "health in public",
        f"{GOOD}  local_listen: tcp:9180\n",
        3,
        ("server.local_listen: 'tcp:9180' was found; allowed are a loopback address",),
    ),
    ("one port twice", f"{GOOD}  listen: [tcp:443, 'tcp:443:interface=127.0.0.1']\n", 3, ("each address can be listened on once",)),
    (
        "one port for two purposes",
        f"{GOOD}  redirect_listen: tcp:443\n",
        3,
        ("server.redirect_listen: 'tcp:443' was found beside 'tcp:443'",),
    ),
    (
        "open console with proxies",
        f"{HOME}  trusted_proxies: 10.0.0.0/8\n",
        1,
        ("auth.disabled: true was found with server.trusted_proxies",),
    ),
    (
        "open console beyond loopback",
        "auth: {disabled: true}\nserver: {public_url: https://localhost}\n",
        1,
        ("auth.disabled: true was found with server.listen 'tcp:443'",),
    ),
    (
        "open console on a socket",
        HOME.replace("tcp:8080:interface=127.0.0.1", "unix:x.sock"),
        1,
        ("auth.disabled: true was found with server.listen",),
    ),
    (
        "open console on a public redirect",
        "auth: {disabled: true}\nserver: {public_url: https://localhost, listen: tcp:443:interface=127.0.0.1, redirect_listen: tcp:80}\n",
        1,
        ("server.redirect_listen 'tcp:80'",),
    ),
    (
        "open console with a public name",
        "auth: {disabled: true}\nserver: {public_url: https://x.example, listen: tcp:443:interface=127.0.0.1}\n",
        1,
        ("auth.disabled: true was found with server.public_url 'https://x.example'",),
    ),
    ("a root that is itself", f"{GOOD}  root: https://tailnet.example.com/\n", 3, ("which is this very page",)),
)


class Combinations(Refusing):
    def test_refused(self) -> None:
        self.refused_each(REFUSED)
