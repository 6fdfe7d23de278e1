"""The file as text and keys: what cannot be read, what is no YAML, what is no key."""

from __future__ import annotations

from pathlib import Path

from hsadmin.config import parse
from hsadmin.config.source import read_text
from hsadmin.errors import ConfigProblem
from tests.config.refusing import FILE, GOOD, Refusing

REFUSED = (
    # what, text, line (0: none), parts of the sentence
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
    ("a tag", f"{GOOD}work_dir: !python/object x\n", 3, ("the tag !python/object was found",)),
    ("a list for a file", "- a\n", 1, ("the file holds a list",)),
    ("a word for a file", "hello\n", 1, ("the file holds the value 'hello'",)),
    ("broken YAML", "server: [\n", 2, ("this is not proper YAML",)),
    ("a tab as indentation", "server:\n\tpublic_url: x\n", 2, ("this is not proper YAML",)),
    ("two documents", f"{GOOD}---\na: b\n", 3, ("this is not proper YAML",)),
    ("a control character", f"{GOOD}work_dir: /a\x07\n", 3, ("U+0007 may not stand in YAML",)),
    ("an unknown alias", f"{GOOD}work_dir: *x\n", 3, ("this is not proper YAML",)),
    ("nested without end", "[" * 20000, 0, ("too deeply",)),
)


class Keys(Refusing):
    def test_refused(self) -> None:
        self.refused_each(REFUSED)

    def test_empty_sections_and_aliases(self) -> None:
        config = parse(f"limits:\ntls: ~\nlog: {{}}\nwork_dir: &w /srv/x\nbin_dir: *w\n{GOOD}", FILE)
        self.assertEqual(config.work_dir, config.bin_dir)


class Files(Refusing):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()

    def unreadable(self) -> str:
        with self.assertRaises(ConfigProblem) as caught:
            read_text(self.path)
        problem: ConfigProblem = caught.exception
        self.assertTrue(problem.sentence.startswith(str(self.path)))
        return problem.sentence

    def test_missing(self) -> None:
        self.assertIn("does not exist", self.unreadable())

    def test_a_folder(self) -> None:
        self.path.mkdir()
        self.assertIn("is a folder", self.unreadable())

    def test_below_a_file(self) -> None:
        self.path.write_text("")
        self.path = self.path / "hsadmin.yaml"
        self.assertIn("cannot be read: Not a directory", self.unreadable())

    def test_shut(self) -> None:
        def refuse(*_arguments: object) -> None:
            raise PermissionError(13, "Permission denied")

        self.patch(Path, "open", refuse)
        self.assertIn("may not be read by this user", self.unreadable())

    def test_not_utf_8(self) -> None:
        self.path.write_bytes(b"work_dir: /a\nbin_dir: /caf\xe9\n")
        self.assertIn("line 2: byte 0xe9 is not UTF-8", self.unreadable())

    def test_endless(self) -> None:
        self.path.write_bytes(b"#" * (1 << 20) + b"\n")
        self.assertIn("larger than 1 MiB", self.unreadable())

    def test_with_byte_order_mark_and_carriage_returns(self) -> None:
        self.path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
        self.assertEqual(parse(read_text(self.path), FILE), parse(GOOD, FILE))
