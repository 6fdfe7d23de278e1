"""Names, tags and routes of nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hsadmin.model.nodes import Node, Routes, node_name_fault, normal_route, tag_fault
from tests.tables import TableCase, table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Rules(TableCase):
    @table(("one letter", "a"), ("digits", "1"), ("inner hyphens", "a--b"), ("longest", "a" * 63))
    def test_node_name_taken(self, name: str, given: str) -> None:
        self.assertIsNone(node_name_fault(given))

    @table(
        ("empty", ""),
        ("upper case", "A"),
        ("dot", "a.b"),
        ("hyphen first", "-a"),
        ("hyphen last", "a-"),
        ("too long", "a" * 64),
        ("underscore", "a_b"),
        ("line break", "a\n"),
    )
    def test_node_name_refused(self, name: str, given: str) -> None:
        self.assertIn("does not fit", node_name_fault(given) or "")

    @table(("plain", "tag:a"), ("dash and digits", "tag:web-1"))
    def test_tag_taken(self, name: str, given: str) -> None:
        self.assertIsNone(tag_fault(given))

    @table(("no prefix", "a"), ("nothing after it", "tag:"), ("upper case", "tag:A"), ("space", "tag:a b"), ("tab", "tag:a\t"))
    def test_tag_refused(self, name: str, given: str) -> None:
        self.assertIsNotNone(tag_fault(given))

    @table(
        ("as it is", "10.1.0.0/16", "10.1.0.0/16"),
        ("host bits go", "10.1.2.3/24", "10.1.2.0/24"),
        ("one address", "10.1.2.3/32", "10.1.2.3/32"),
        ("exit", "0.0.0.0/0", "0.0.0.0/0"),
        ("six, long form", "FD00:0:0::1/64", "fd00::/64"),
    )
    def test_route(self, name: str, given: str, normal: str) -> None:
        self.assertEqual(normal_route(given), normal)

    @table(("no slash", "10.1.0.0"), ("words", "exit"), ("too many bits", "10.0.0.0/33"), ("zone", "fe80::1%eth0/64"), ("empty", ""))
    def test_route_refused(self, name: str, given: str) -> None:
        self.assertIn("a route is a network", str(self.assertRaises(ValueError, normal_route, given)))


class Views(TableCase):
    def test_exit_node_is_announced_and_approved(self) -> None:
        both = ("0.0.0.0/0", "::/0")
        self.assertTrue(Routes(announced=both, approved=both).exit_node)
        self.assertFalse(Routes(announced=both).exit_node)
        self.assertFalse(Routes(approved=both).exit_node)
        self.assertFalse(Routes(announced=("0.0.0.0/0",), approved=("::/0",)).exit_node)

    def test_waiting_routes_are_announced_and_not_approved(self) -> None:
        self.assertEqual(Routes(announced=("10.0.0.0/8", "fd00::/64"), approved=("fd00::/64", "10.9.0.0/16")).waiting, ("10.0.0.0/8",))

    def test_expired(self) -> None:
        self.assertFalse(Node(id=1, name="a").expired(NOW))
        self.assertTrue(Node(id=1, name="a", expires=NOW).expired(NOW))
        self.assertFalse(Node(id=1, name="a", expires=NOW + timedelta(seconds=1)).expired(NOW))
