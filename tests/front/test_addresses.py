"""Who counts as the client, behind proxies and without."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hsadmin.front.addresses import client_address, parse_address
from tests.tables import TableCase, table

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


class ClientAddress(TableCase):
    @table(
        ("no proxy", "203.0.113.1", [b"192.0.2.1"], "203.0.113.1"),
        ("proxy without a field", "10.0.0.1", [], "10.0.0.1"),
        ("proxy", "10.0.0.1", [b"192.0.2.1"], "192.0.2.1"),
        ("the right-most that is not ours", "10.0.0.1", [b"192.0.2.66, 192.0.2.1, 10.1.1.1"], "192.0.2.1"),
        ("several fields", "10.0.0.1", [b"192.0.2.66", b"192.0.2.1", b"10.1.1.1"], "192.0.2.1"),
        ("only proxies", "10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("nonsense behind a proxy", "10.0.0.1", [b"192.0.2.1, unknown"], "10.0.0.1"),
        ("nonsense behind two proxies", "10.0.0.1", [b"192.0.2.1, evil, 10.0.0.2"], "10.0.0.2"),
        ("empty", "10.0.0.1", [b""], "10.0.0.1"),
        ("bytes beyond ascii", "10.0.0.1", [b"\xb2.1.1.1"], "10.0.0.1"),
        ("ipv6", "fd00::1", [b" 2001:db8::1\t"], "2001:db8::1"),
        ("ipv4 inside ipv6", "::ffff:10.0.0.1", [b"::ffff:192.0.2.1"], "192.0.2.1"),
        ("ipv4 inside ipv6 without proxy", "::ffff:192.0.2.9", [], "192.0.2.9"),
    )
    def test_found(self, name: str, peer: str, values: list[bytes], client: str) -> None:
        self.assertEqual(client_address(ip_address(peer), values, PROXIES), ip_address(client))

    @table(("said", [b"192.0.2.1"], "192.0.2.1"), ("not said", [], "127.0.0.1"))
    def test_a_unix_socket_is_trusted(self, name: str, values: list[bytes], client: str) -> None:
        self.assertEqual(client_address(None, values, ()), ip_address(client))

    @table(("zone", "fe80::1%eth0", "fe80::1"), ("mapped", "::ffff:1.2.3.4", "1.2.3.4"), ("plain", "1.2.3.4", "1.2.3.4"))
    def test_parse(self, name: str, text: str, address: str) -> None:
        self.assertEqual(parse_address(text), ip_address(address))

    def test_parse_nonsense(self) -> None:
        self.assertRaises(ValueError, parse_address, "1.2.3.4:80")
