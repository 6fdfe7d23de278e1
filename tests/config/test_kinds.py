"""Values: what is allowed, how it is read, and that nothing is taken for something else."""

from __future__ import annotations

from ipaddress import ip_network

from hsadmin.config import TlsMode, parse
from tests.config.refusing import FILE, GOOD, Refusing

PUBLIC_URLS_REFUSED = (
    "tailnet.example.com",
    "ftp://tailnet.example.com",
    "https://",
    "https://tailnet.example.com/path",
    "https://tailnet.example.com?x",
    "https://tailnet.example.com/?",
    "https://tailnet.example.com#x",
    "https://user@tailnet.example.com",
    "https://user:secret@tailnet.example.com",
    "https://tailnet.example.com:0",
    "https://tailnet.example.com:65536",
    "https://tailnet.example.com:",
    "https://tailnet.example.com:80x",
    "https://tail net.example.com",
    "https://tailnet_x.example.com",
    "https://-tailnet.example.com",
    "https://tailnet..example.com",
    "https://tailnet.example.com.",
    "https://tailnet.example.1",
    "https://[::1",
    "https://[fe80::1%25eth0]",
    "https://300.1.1.1",
    "https://tailnet.example.com\\\\evil",
    "https://täilnet.example.com",
    f"https://{'a' * 64}.example.com",
    f"https://{'a.' * 126}aa",
)

REFUSED = (
    # what, text, line (0: none), parts of the sentence
    ("truth in other words", f"{GOOD}  public_signup: yes\n", 3, ("server.public_signup: 'yes' was found; allowed is true or false",)),
    (
        "a number in words",
        f"{GOOD}limits: {{head_seconds: ten}}\n",
        3,
        ("limits.head_seconds: 'ten' was found; allowed is a whole number of seconds",),
    ),
    ("a negative number", f"{GOOD}limits: {{head_seconds: -1}}\n", 3, ("'-1' was found",)),
    ("a fraction", f"{GOOD}limits: {{head_seconds: 1.5}}\n", 3, ("'1.5' was found",)),
    ("a number too large", f"{GOOD}limits: {{head_seconds: 121}}\n", 3, ("from 1 to 120",)),
    ("a huge number", f"{GOOD}limits: {{head_seconds: {'9' * 5000}}}\n", 3, ("…' was found",)),
    ("an unknown word", f"{GOOD}tls: {{mode: acme}}\n", 3, ("tls.mode: 'acme' was found; allowed is off, files or self-signed",)),
    (
        "an unknown log level",
        f"{GOOD}log: {{level: verbose}}\n",
        3,
        ("log.level: 'verbose' was found; allowed is debug, info, warning or error",),
    ),
    (
        "too many workers",
        f"{GOOD}front: {{workers: 65}}\n",
        3,
        ("front.workers: '65' was found; allowed is a whole number from 0 to 64",),
    ),
    ("no listener", f"{GOOD}  listen: []\n", 3, ("server.listen: an empty list was found",)),
    ("a listener of Twisted's", f"{GOOD}  listen: ssl:443\n", 3, ("'ssl' is no kind of listener", "tcp:PORT[:interface=ADDRESS]")),
    ("no port", f"{GOOD}  listen: tcp:https\n", 3, ("'https' is not a port",)),
    ("a host with scheme", f"{GOOD}  extra_hosts: [https://x.example]\n", 3, ("without scheme and port",)),
    ("a host with port", f"{GOOD}  extra_hosts: [x.example:443]\n", 3, ("server.extra_hosts: 'x.example:443' was found",)),
    ("a network with host bits", f"{GOOD}  trusted_proxies: [10.1.0.0/8]\n", 3, ("(10.0.0.0/8 is the network)",)),
    ("no network", f"{GOOD}  console_allow_from: [office]\n", 3, ("'office' was found; allowed is a list, each entry a network",)),
    ("everybody as a proxy", f"{GOOD}  trusted_proxies: [0.0.0.0/0]\n", 3, ("'0.0.0.0/0' was found, which trusts everybody", "no /0")),
    ("everybody as a proxy, IPv6", f"{GOOD}  trusted_proxies: ['::/0']\n", 3, ("'::/0' was found, which trusts everybody",)),
    ("a root that is nowhere", f"{GOOD}  root: somewhere\n", 3, ("server.root: 'somewhere' was found; allowed is connect, not_found or",)),
    ("a root that runs code", f"{GOOD}  root: 'javascript:alert(1)'\n", 3, ("server.root",)),
    ("a root with a line break", f'{GOOD}  root: "https://x.example/\\r\\nSet-Cookie: a"\n', 3, ("server.root",)),
    (
        "another minor version",
        f"{GOOD}headscale: {{version: 0.28.0}}\n",
        3,
        ("'0.28.0' was found, whose minor version this hsadmin does not know",),
    ),
    ("half a version", f"{GOOD}headscale: {{version: 0.29}}\n", 3, ("'0.29' was found; allowed is a release such as 0.29.3",)),
    ("half a hash", f"{GOOD}headscale: {{sha256: abc}}\n", 3, ("headscale.sha256: 'abc' was found; allowed is 64 hexadecimal digits",)),
    ("an empty path", f"{GOOD}work_dir: ''\n", 3, ("work_dir: '' was found; allowed is a path",)),
    ("a path with NUL", f'{GOOD}work_dir: "/a\\0b"\n', 3, ("allowed is a path",)),
    ("value as a mapping", f"{GOOD}work_dir: {{a: b}}\n", 3, ("work_dir: a mapping was found; allowed is a path",)),
    ("value as a list", f"{GOOD}work_dir: [/a]\n", 3, ("work_dir: a list was found",)),
    ("nothing where something is needed", f"{GOOD}work_dir:\n", 3, ("work_dir: nothing was found",)),
    ("a list in a list", f"{GOOD}  listen: [[tcp:1]]\n", 3, ("server.listen: a mapping was found",)),
)


class Refused(Refusing):
    def test_refused(self) -> None:
        self.refused_each(REFUSED)

    def test_every_public_url_that_is_more_or_less_than_an_origin(self) -> None:
        for url in PUBLIC_URLS_REFUSED:
            problem = self.refused(f'server: {{public_url: "{url}"}}\n', url)
            self.assertEqual(problem.facts.get("key"), "server.public_url", url)

    def test_no_password_is_repeated(self) -> None:
        for key in ("public_url", "root"):
            sentence = self.refused(
                f"{GOOD}  root: https://u:secret@x.example\n" if key == "root" else f"server: {{{key}: 'https://u:secret@x.example'}}", key
            ).sentence
            self.assertIn("an address with a user name was found", sentence)
            self.assertNotIn("secret", sentence)


class Read(Refusing):
    def test_one_spelling_for_every_public_url(self) -> None:
        for written, text, host, port, loopback in (
            ("https://Tailnet.Example.com", "https://tailnet.example.com", "tailnet.example.com", 443, False),
            ("https://tailnet.example.com/", "https://tailnet.example.com", "tailnet.example.com", 443, False),
            ("https://tailnet.example.com:443", "https://tailnet.example.com", "tailnet.example.com", 443, False),
            ("https://tailnet.example.com:8443/", "https://tailnet.example.com:8443", "tailnet.example.com", 8443, False),
            ("https://192.0.2.7:8443", "https://192.0.2.7:8443", "192.0.2.7", 8443, False),
            ("https://[2001:DB8::0:1]", "https://[2001:db8::1]", "2001:db8::1", 443, False),
            ("https://localhost", "https://localhost", "localhost", 443, True),
            ("https://127.8.0.1", "https://127.8.0.1", "127.8.0.1", 443, True),
            ("https://[::1]:8443", "https://[::1]:8443", "::1", 8443, True),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example", 443, False),
        ):
            url = parse(f'server: {{public_url: "{written}"}}', FILE).server.public_url
            self.assertEqual((url.text, url.host, url.port, url.loopback), (text, host, port, loopback), written)

    def test_one_value_stands_for_a_list_of_one(self) -> None:
        config = parse(f"{GOOD}  console_allow_from: 10.0.0.0/8\n  extra_hosts: [A.example, '[::1]']\n", FILE)
        self.assertEqual(config.server.console_allow_from, (ip_network("10.0.0.0/8"),))
        self.assertEqual(config.server.hosts, {"tailnet.example.com", "a.example", "::1"})

    def test_words_that_other_readers_take_for_truth_stay_words(self) -> None:
        config = parse("tls: {mode: off}\nserver: {public_url: http://localhost, listen: tcp:80:interface=127.0.0.1}", FILE)
        self.assertIs(config.tls.mode, TlsMode.OFF)
