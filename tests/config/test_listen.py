"""The four forms of listeners, their values, and what they may not be."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hsadmin.config.listen import BadListen, Kind, parse_listen

BASE = Path("/etc/hsadmin")

READ = (
    # text, kind, address, loopback, local
    ("tcp:443", Kind.TCP, "0.0.0.0:443", False, False),
    ("tcp:443:interface=0.0.0.0", Kind.TCP, "0.0.0.0:443", False, False),
    ("tcp:8080:interface=127.0.0.1", Kind.TCP, "127.0.0.1:8080", True, True),
    ("tcp:8080:interface=127.1.2.3", Kind.TCP, "127.1.2.3:8080", True, True),
    ("tcp:8080:interface=192.0.2.1", Kind.TCP, "192.0.2.1:8080", False, False),
    ("tcp6:443", Kind.TCP6, "[::]:443", False, False),
    ("tcp6:443:interface=::", Kind.TCP6, "[::]:443", False, False),
    ("tcp6:443:interface=::1", Kind.TCP6, "[::1]:443", True, True),
    ("tcp6:443:interface=[::1]", Kind.TCP6, "[::1]:443", True, True),
    (r"tcp6:443:interface=\:\:1", Kind.TCP6, "[::1]:443", True, True),
    ("tcp6:443:interface=2001:db8::1", Kind.TCP6, "[2001:db8::1]:443", False, False),
    ("unix:/run/x.sock", Kind.UNIX, "unix:/run/x.sock", False, True),
    ("unix:x.sock", Kind.UNIX, "unix:/etc/hsadmin/x.sock", False, True),
    (r"unix:/run/a\:b", Kind.UNIX, "unix:/run/a:b", False, True),
    ("systemd:domain=INET:index=0", Kind.SYSTEMD, "systemd:index=0", False, False),
    ("systemd:domain=INET6:name=public", Kind.SYSTEMD, "systemd:name=public", False, False),
    ("systemd:name=public", Kind.SYSTEMD, "systemd:name=public", False, False),
    ("systemd:domain=UNIX:name=local", Kind.SYSTEMD, "systemd:name=local", False, True),
)

REFUSED = (
    ("", "'' is no kind of listener"),
    ("443", "'443' is no kind of listener"),
    ("ssl:443", "'ssl' is no kind of listener"),
    ("TCP:443", "'TCP' is no kind of listener"),
    ("tcp", "nothing follows 'tcp'"),
    ("tcp:", "nothing follows 'tcp'"),
    ("tcp:0", "'0' is not a port"),
    ("tcp:65536", "'65536' is not a port"),
    ("tcp:-1", "'-1' is not a port"),
    ("tcp:٤٤٣", "is not a port"),
    ("tcp:443:", "'' is not interface=ADDRESS"),
    ("tcp:443:backlog=5", "'backlog=5' is not interface=ADDRESS"),
    ("tcp:443:interface=", "interface '' is not an IPv4 address"),
    ("tcp:443:interface=localhost", "interface 'localhost' is not an IPv4 address"),
    ("tcp:443:interface=::1", "interface '::1' is not an IPv4 address"),
    ("tcp:443:interface=127.0.0.1:backlog=5", "is not an IPv4 address"),
    ("tcp6:443:interface=127.0.0.1", "interface '127.0.0.1' is not an IPv6 address"),
    ("unix:", "nothing follows 'unix'"),
    ("systemd:", "nothing follows 'systemd'"),
    ("systemd:domain=INET", "exactly one of index and name"),
    ("systemd:index=0:name=a", "exactly one of index and name"),
    ("systemd:domain=TCP:index=0", "domain 'TCP' is not"),
    ("systemd:index=-1", "index '-1' is not a number"),
    ("systemd:index=0:index=1", "'index=1' is not one of"),
    ("systemd:port=0", "'port=0' is not one of"),
)


class Forms(SynchronousTestCase):
    def test_read(self) -> None:
        for text, kind, address, loopback, local in READ:
            listen = parse_listen(text, BASE)
            self.assertEqual(
                (listen.kind, listen.address, listen.loopback, listen.local, listen.text), (kind, address, loopback, local, text)
            )

    def test_refused(self) -> None:
        for text, words in REFUSED:
            with self.assertRaises(BadListen, msg=text) as caught:
                parse_listen(text, BASE)
            self.assertIn(words, str(caught.exception), text)
