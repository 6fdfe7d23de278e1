"""Every refusal is one ConfigProblem sentence with place, key, what was found and what is allowed; defaults and files become one Config."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError, fields, is_dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import get_type_hints

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.config import Config, Options, TlsMode, load, parse, trial
from hsadmin.config.catalogue import BY_NAME, KEYS, SECTIONS
from hsadmin.errors import ConfigProblem

FILE = Path("/etc/hsadmin/hsadmin.yaml")
GOOD = "server:\n  public_url: https://tailnet.example.com\n"
BEHIND = "tls:\n  mode: off\nserver:\n  public_url: https://tailnet.example.com\n  trusted_proxies: 10.0.0.0/8\n"
HOME = "auth: {disabled: true}\ntls: {mode: off}\nserver:\n  public_url: http://localhost:8080\n  listen: tcp:8080:interface=127.0.0.1\n"

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
    # name, text below GOOD or whole text, line (0: none), parts of the sentence
    ("unknown key", f"{GOOD}wrok_dir: /x\n", 3, ("'wrok_dir' is no key", "did you mean work_dir?")),
    ("unknown key in a section", f"{GOOD}  lisen: tcp:1\n", 3, ("'server.lisen' is no key", "did you mean server.listen?")),
    ("key of a section at the top", f"{GOOD}trusted_proxies: []\n", 3, ("did you mean server.trusted_proxies?",)),
    ("key in the wrong section", f"{GOOD}tls:\n  sha256: x\n", 4, ("did you mean headscale.sha256?",)),
    ("another program's key", f"{GOOD}zzz_qq: 1\n", 3, ("'zzz_qq' is no key", "hsadmin.example.yaml")),
    ("upper case", GOOD.replace("server", "Server"), 1, ("did you mean server?",)),
    ("duplicate key", f"{GOOD}  public_url: https://x.example\n", 3, ("server.public_url was found a second time (first on line 2)",)),
    ("duplicate section", f"{GOOD}tls: {{}}\ntls: {{}}\n", 4, ("tls was found a second time (first on line 3)",)),
    ("merge key", f"a: &a {{}}\n{GOOD}", 1, ("'a' is no key",)),
    ("list as a key", f"{GOOD}? [a]\n: b\n", 3, ("a list stands where a key belongs",)),
    (
        "section as a value",
        "server: https://x.example\n",
        1,
        ("server: the value 'https://x.example' was found; allowed are keys below it",),
    ),
    ("section as a list", "server:\n- public_url\n", 1, ("server: a list was found",)),
    ("value as a mapping", f"{GOOD}work_dir: {{a: b}}\n", 3, ("work_dir: a mapping was found; allowed is a path",)),
    ("value as a list", f"{GOOD}work_dir: [/a]\n", 3, ("work_dir: a list was found",)),
    ("nothing where something is needed", f"{GOOD}work_dir:\n", 3, ("work_dir: nothing was found",)),
    ("a list in a list", f"{GOOD}  listen: [[tcp:1]]\n", 3, ("server.listen: a mapping was found",)),
    ("a tag", f"{GOOD}work_dir: !python/object x\n", 3, ("the tag !python/object was found",)),
    ("no public_url", "work_dir: /x\n", 0, ("server.public_url is missing; allowed is http:// or https://",)),
    ("empty file", "", 0, ("server.public_url is missing",)),
    ("only comments", "# nothing\n", 0, ("server.public_url is missing",)),
    ("a list for a file", "- a\n", 1, ("the file holds a list",)),
    ("a word for a file", "hello\n", 1, ("the file holds the value 'hello'",)),
    ("broken YAML", "server: [\n", 2, ("this is not proper YAML",)),
    ("a tab as indentation", "server:\n\tpublic_url: x\n", 2, ("this is not proper YAML",)),
    ("two documents", f"{GOOD}---\na: b\n", 3, ("this is not proper YAML",)),
    ("a control character", f"{GOOD}work_dir: /a\x07\n", 3, ("U+0007 may not stand in YAML",)),
    ("an unknown alias", f"{GOOD}work_dir: *x\n", 3, ("this is not proper YAML",)),
    ("nested without end", "[" * 20000, 0, ("too deeply",)),
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
        "workers",
        f"{GOOD}front: {{workers: 2}}\n",
        3,
        ("front.workers: '2' was found; allowed is 0: this version runs the front in the main process",),
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
    ("a root that is itself", f"{GOOD}  root: https://tailnet.example.com/\n", 3, ("which is this very page",)),
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
)


class Refusals(SynchronousTestCase):
    def refused(self, text: str, name: str) -> ConfigProblem:
        with self.assertRaises(ConfigProblem, msg=name) as caught:
            parse(text, FILE)
        problem: ConfigProblem = caught.exception
        return problem

    def test_each_in_one_sentence_with_its_place(self) -> None:
        for name, text, line, parts in REFUSED:
            sentence = self.refused(text, name).sentence
            place = f"{FILE}, line {line}: " if line else f"{FILE}"
            self.assertTrue(sentence.startswith(place), f"{name}: {sentence}")
            self.assertNotIn("\n", sentence, name)
            self.assertLess(len(sentence), 600, name)
            for part in parts:
                self.assertIn(part, sentence, name)

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

    def test_the_status_is_that_of_bad_configuration(self) -> None:
        self.assertEqual(self.refused("", "empty").exit_status, 78)


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.options = Options(cwd=self.folder)

    def refused(self) -> str:
        with self.assertRaises(ConfigProblem) as caught:
            load(Path("hsadmin.yaml"), self.options)
        problem: ConfigProblem = caught.exception
        return problem.sentence

    def test_missing(self) -> None:
        self.assertIn("does not exist", self.refused())

    def test_a_folder(self) -> None:
        (self.folder / "hsadmin.yaml").mkdir()
        self.assertIn("is a folder", self.refused())

    def test_below_a_file(self) -> None:
        (self.folder / "file").write_text("")
        with self.assertRaises(ConfigProblem) as caught:
            load(Path("file/hsadmin.yaml"), self.options)
        self.assertIn("cannot be read: Not a directory", caught.exception.sentence)

    def test_shut(self) -> None:
        def refuse(*_arguments: object) -> None:
            raise PermissionError(13, "Permission denied")

        self.patch(Path, "open", refuse)
        self.assertIn("may not be read by this user", self.refused())

    def test_not_utf_8(self) -> None:
        (self.folder / "hsadmin.yaml").write_bytes(b"work_dir: /a\nbin_dir: /caf\xe9\n")
        self.assertIn("line 2: byte 0xe9 is not UTF-8", self.refused())

    def test_endless(self) -> None:
        (self.folder / "hsadmin.yaml").write_bytes(b"#" * (1 << 20) + b"\n")
        self.assertIn("larger than 1 MiB", self.refused())

    def test_with_byte_order_mark_and_carriage_returns(self) -> None:
        (self.folder / "hsadmin.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
        self.assertEqual(load(Path("hsadmin.yaml"), self.options).source, self.folder / "hsadmin.yaml")

    def test_relative_paths_are_relative_to_the_file_and_options_to_the_caller(self) -> None:
        text = f"{GOOD}work_dir: ../state\nbin_dir: bin\nlog: {{file: ./log}}\n"
        config = parse(text, FILE)
        self.assertEqual((config.work_dir, config.bin_dir, config.log.file), (Path("/etc/state"), FILE.parent / "bin", FILE.parent / "log"))
        config = parse(text, FILE, Options(cwd=Path("/home/me"), work_dir="other", listen=("tcp:444", "unix:x")).placed())
        self.assertEqual(config.work_dir, Path("/home/me/other"))
        self.assertEqual([listen.address for listen in config.server.listen], ["0.0.0.0:444", "unix:/home/me/x"])

    def test_an_option_is_named_when_it_is_the_fault(self) -> None:
        (self.folder / "hsadmin.yaml").write_text(GOOD)
        with self.assertRaises(ConfigProblem) as caught:
            load(Path("hsadmin.yaml"), Options(cwd=self.folder, listen=("tcp:x",)))
        self.assertTrue(caught.exception.sentence.startswith("--listen: server.listen: 'tcp:x' was found"), caught.exception.sentence)


class Values(SynchronousTestCase):
    def test_defaults(self) -> None:
        config = parse(GOOD, FILE)
        self.assertEqual(config.work_dir, Path("/var/lib/hsadmin"))
        self.assertEqual(config.bin_dir, Path("/var/lib/hsadmin/bin"))
        self.assertEqual([listen.text for listen in config.server.listen], ["tcp:443"])
        self.assertEqual((config.server.redirect_listen, config.server.local_listen, config.server.trusted_proxies), ((), (), ()))
        self.assertIs(config.tls.mode, TlsMode.SELF_SIGNED)
        self.assertEqual((config.headscale.version, config.headscale.binary, config.headscale.sha256), ("0.29.3", None, ""))
        self.assertEqual((config.auth.disabled, config.trial, config.source), (False, False, FILE))
        limits = config.limits
        self.assertEqual((limits.handshake_seconds, limits.head_seconds, limits.connections_per_source), (10, 10, 64))
        self.assertEqual((limits.connections_total, limits.parked_requests, limits.park_seconds), (0, 4096, 8))

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
        self.assertIs(parse(BEHIND, FILE).tls.mode, TlsMode.OFF)

    def test_empty_sections_and_aliases(self) -> None:
        config = parse(f"limits:\ntls: ~\nlog: {{}}\nwork_dir: &w /srv/x\nbin_dir: *w\n{GOOD}", FILE)
        self.assertEqual(config.work_dir, config.bin_dir)

    def test_behind_proxies_peers_from_elsewhere_are_dropped(self) -> None:
        self.assertTrue(parse(BEHIND, FILE).drops_untrusted)
        self.assertFalse(parse(GOOD, FILE).drops_untrusted)
        self.assertFalse(parse(f"{BEHIND}  listen: tcp:8080:interface=127.0.0.1\n", FILE).drops_untrusted)
        self.assertFalse(parse(f"{BEHIND.replace('  trusted_proxies: 10.0.0.0/8', '  listen: unix:/run/x.sock')}", FILE).drops_untrusted)

    def test_nothing_can_be_changed_afterwards(self) -> None:
        config = parse(GOOD, FILE)
        with self.assertRaises(FrozenInstanceError):
            config.trial = True  # type: ignore[misc] # that it cannot be done is the test

    def test_catalogue_and_shape_name_the_same_keys(self) -> None:
        shaped: set[str] = set()
        for name, kind in get_type_hints(Config).items():
            if is_dataclass(kind):
                shaped.update(f"{name}.{field.name}" for field in fields(kind))
            elif name not in {"trial", "source"}:
                shaped.add(name)
        self.assertEqual(shaped, set(BY_NAME))
        self.assertEqual(len(KEYS), len(BY_NAME))
        self.assertEqual({key.section for key in KEYS} - {""}, set(SECTIONS))


class Trials(SynchronousTestCase):
    def test_without_options(self) -> None:
        config = trial(Options(cwd=Path("/home/me")))
        self.assertEqual(config.server.public_url.text, "http://127.0.0.1:8080")
        self.assertEqual([listen.address for listen in config.server.listen], ["127.0.0.1:8080"])
        self.assertEqual((config.server.redirect_listen, config.server.local_listen), ((), ()))
        self.assertEqual((config.work_dir, config.tls.mode, config.auth.disabled), (Path("/home/me/trial"), TlsMode.OFF, True))
        self.assertEqual((config.trial, config.source, config.drops_untrusted), (True, None, False))

    def test_the_address_follows_the_listener(self) -> None:
        for listen, url in (
            ("tcp:9000:interface=127.0.0.1", "http://127.0.0.1:9000"),
            ("tcp:80:interface=127.0.0.2", "http://127.0.0.2"),
            ("tcp6:9000:interface=::1", "http://[::1]:9000"),
        ):
            config = trial(Options(cwd=Path("/"), work_dir="/srv/t", listen=(listen,)))
            self.assertEqual((config.server.public_url.text, config.work_dir), (url, Path("/srv/t")))

    def test_refusals_name_the_option(self) -> None:
        for options, start in (
            (
                Options(cwd=Path("/"), listen=("tcp:8080",)),
                "--listen: 'tcp:8080' was found; a trial has no sign-in and listens on loopback only",
            ),
            (Options(cwd=Path("/"), listen=("tcp:8080:interface=192.0.2.1",)), "--listen: "),
            (Options(cwd=Path("/"), listen=("unix:x",)), "--listen: "),
            (
                Options(cwd=Path("/"), listen=("8080",)),
                "--listen: '8080' was found, where '8080' is no kind of listener; allowed is tcp:PORT",
            ),
            (Options(cwd=Path("/"), work_dir=""), "--work-dir: work_dir: '' was found"),
            (Options(cwd=Path("/"), work_dir="d" * 89), "--work-dir: work_dir: the socket /d"),
        ):
            with self.assertRaises(ConfigProblem) as caught:
                trial(options)
            self.assertTrue(caught.exception.sentence.startswith(start), caught.exception.sentence)

    def test_the_longest_work_dir(self) -> None:
        config = trial(Options(cwd=Path("/"), work_dir="d" * 87))
        self.assertEqual(len(os.fsencode(config.work_dir)), 88)
