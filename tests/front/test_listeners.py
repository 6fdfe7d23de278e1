"""From a line of the configuration to a listening socket, or to one sentence."""

from __future__ import annotations

import os
import socket
import tempfile

from twisted.python.systemd import ListenFDs
from twisted.trial.unittest import SynchronousTestCase

from hsadmin.errors import ListenFailed
from hsadmin.front.listeners import Inherited, ListenSpec, bind


class ListenerCase(SynchronousTestCase):
    def bind(self, form: str, inherited: Inherited | None = None) -> ListenSpec:
        spec = bind(form, tls=False, purpose="public", inherited=inherited)
        self.addCleanup(spec.socket.close)
        return spec

    def refusal(self, form: str, inherited: Inherited | None = None) -> str:
        with self.assertRaises(ListenFailed) as caught:
            bind(form, tls=False, purpose="public", inherited=inherited)
        self.flushWarnings()
        return str(caught.exception.sentence)

    def folder(self) -> str:
        """Short enough for a Unix socket's path."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name


class TCPTests(ListenerCase):
    def test_forms(self) -> None:
        for form, family, begins in (
            ("tcp:0:interface=127.0.0.1", socket.AF_INET, "127.0.0.1:"),
            ("tcp:port=0:interface=127.0.0.1", socket.AF_INET, "127.0.0.1:"),
            ("tcp6:0:interface=\\:\\:1", socket.AF_INET6, "[::1]:"),
            ("tcp6:0:interface=[::1]", socket.AF_INET6, "[::1]:"),
        ):
            spec = self.bind(form)
            self.assertEqual(spec.socket.family, family)
            self.assertTrue(spec.address.startswith(begins), msg=spec.address)
            self.assertFalse(spec.address.endswith(":0"))
            with socket.create_connection(spec.socket.getsockname()[:2]):
                pass

    def test_a_line_for_each_family(self) -> None:
        """tcp6 leaves the port free for IPv4, whatever the machine's default is."""
        sock = self.bind("tcp6:0").socket
        self.assertEqual(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY), 1)

    def test_a_port_that_is_taken(self) -> None:
        port = self.bind("tcp:0:interface=127.0.0.1").socket.getsockname()[1]
        form = f"tcp:{port}:interface=127.0.0.1"
        self.assertEqual(self.refusal(form), f"Cannot listen on {form}: another program listens there.")

    def test_refusals(self) -> None:
        for form, words in (
            ("tcp:0:interface=192.0.2.1", "no such address"),
            ("tcp:0:interface=localhost.invalid", "not a name"),
            ("tcp:x", "a port from 0 to 65535"),
            ("tcp:65536", "a port from 0 to 65535"),
            ("tcp", "a port from 0 to 65535"),
            ("tcp:1:backlog=5", "'backlog' is not an option"),
            ("ssl:443", "tcp:, tcp6:, unix: or systemd:"),
            ("", "tcp:, tcp6:, unix: or systemd:"),
        ):
            self.assertIn(words, self.refusal(form), msg=form)


class UnixTests(ListenerCase):
    def test_only_we_may_connect_unless_said_otherwise(self) -> None:
        folder = self.folder()
        for form, mode in ((f"unix:{folder}/a", 0o600), (f"unix:{folder}/b:mode=660", 0o660)):
            self.assertEqual(self.bind(form).address, form.partition(":mode")[0])
            self.assertEqual(os.stat(form.split(":")[1]).st_mode & 0o777, mode)

    def test_what_a_killed_process_left_is_replaced(self) -> None:
        path = f"{self.folder()}/s"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        self.bind(f"unix:{path}")

    def test_refusals(self) -> None:
        folder = self.folder()
        self.bind(f"unix:{folder}/alive")
        with open(f"{folder}/file", "w"):
            pass
        for form, words in (
            (f"unix:{folder}/alive", "another program listens there"),
            (f"unix:{folder}/file", "something that is not a socket"),
            (f"unix:{folder}/none/s", "the directory does not exist"),
            (f"unix:{folder}/{'x' * 120}", "longer than"),
            (f"unix:{folder}/s:mode=rw", "octal"),
            ("unix:", "path of the socket is missing"),
        ):
            self.assertIn(words, self.refusal(form), msg=form)


class SystemdTests(ListenerCase):
    def given(self) -> Inherited:
        """As systemd passes them: descriptors in a row. Both are bound, neither listens yet."""
        passed = [socket.socket(socket.AF_INET), socket.socket(socket.AF_INET6)]
        for sock, address in zip(passed, ("127.0.0.1", "::1"), strict=True):
            self.addCleanup(sock.close)
            sock.bind((address, 0))
        return Inherited(ListenFDs([sock.fileno() for sock in passed], ["http", "https"]))

    def test_by_name_and_by_index(self) -> None:
        given = self.given()
        self.assertTrue(self.bind("systemd:name=https", given).address.startswith("[::1]:"))
        self.assertTrue(self.bind("systemd:domain=INET:index=0", given).address.startswith("127.0.0.1:"))

    def test_refusals(self) -> None:
        given = self.given()
        for form, inherited, words in (
            ("systemd:name=ldap", given, "named ones: http, https"),
            ("systemd:domain=INET:index=9", given, "no such socket"),
            ("systemd:domain=INET:index=1", given, "not of domain INET"),
            ("systemd:domain=INET", given, "by name=… or by domain=…:index=…"),
            ("systemd:name=https", None, "not started by systemd"),
        ):
            self.assertIn(words, self.refusal(form, inherited), msg=form)
