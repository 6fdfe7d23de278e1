"""Messages as model values: year 1, the pseudo user, order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from hsadmin.headscale import convert
from hsadmin.headscale.pb import headscale_pb2 as pb
from hsadmin.model.nodes import Registered
from hsadmin.model.users import TAGGED_DEVICES
from tests.tables import TableCase, table

ZERO = Timestamp(seconds=convert.YEAR_ONE)
AT = Timestamp(seconds=1795459994, nanos=470626288)
TIME = datetime(2026, 11, 23, 18, 53, 14, 470626, UTC)


class Times(TableCase):
    @table(
        ("to the microsecond", AT, TIME),
        ("year 1", ZERO, None),
        ("the epoch is a time", Timestamp(), datetime(1970, 1, 1, tzinfo=UTC)),
        ("before the epoch", Timestamp(seconds=-1, nanos=500_000_000), datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC)),
        ("beyond Python", Timestamp(seconds=253402300800), datetime.max.replace(tzinfo=UTC)),
        ("before Python", Timestamp(seconds=convert.YEAR_ONE - 1), datetime.min.replace(tzinfo=UTC)),
    )
    def test_moment(self, name: str, stamp: Timestamp, moment: datetime | None) -> None:
        self.assertEqual(convert.moment(stamp), moment)

    def test_there_and_back(self) -> None:
        self.assertEqual(convert.moment(convert.timestamp(TIME)), TIME)


class Keys(TableCase):
    """Year 1 is a key's death and a node's eternal life."""

    @table(("absent", None, None, False), ("year 1", ZERO, None, True), ("a time", AT, TIME, False))
    def test_expiration(self, name: str, stamp: Timestamp | None, expires: datetime | None, born_expired: bool) -> None:
        key = convert.preauth_key(pb.PreAuthKey(id=1, expiration=stamp))
        api_key = convert.api_key(pb.ApiKey(id=1, expiration=stamp))
        self.assertEqual((key.expires, key.born_expired), (expires, born_expired))
        self.assertEqual((api_key.expires, api_key.born_expired), (expires, born_expired))

    def test_clear_keys_are_masked(self) -> None:
        self.assertEqual(convert.preauth_key(pb.PreAuthKey(key="c1ea" + "0" * 44)).masked, "c1ea***")

    def test_owner_and_tags(self) -> None:
        key = convert.preauth_key(pb.PreAuthKey(id=2, user=pb.User(id=7), acl_tags=["tag:b", "tag:a"]))
        self.assertEqual((key.owner_id, key.tags), (7, ("tag:a", "tag:b")))
        self.assertIsNone(convert.preauth_key(pb.PreAuthKey(id=2)).owner_id)


class Nodes(TableCase):
    @table(("absent", None, None), ("year 1", ZERO, None), ("a time", AT, TIME))
    def test_expiry_and_last_seen(self, name: str, stamp: Timestamp | None, time: datetime | None) -> None:
        node = convert.node(pb.Node(id=1, expiry=stamp, last_seen=stamp))
        self.assertEqual((node.expires, node.last_seen), (time, time))

    @table(
        ("a user's", pb.Node(user=pb.User(id=7)), 7),
        ("tagged, in a list", pb.Node(user=pb.User(id=TAGGED_DEVICES), tags=["tag:a"]), None),
        ("tagged, alone", pb.Node(tags=["tag:a"]), None),
        ("tagged, and 0.28 remembers who made it", pb.Node(user=pb.User(id=7), tags=["tag:a"]), None),
        ("nobody's", pb.Node(), None),
    )
    def test_owner(self, name: str, message: pb.Node, owner_id: int | None) -> None:
        self.assertEqual(convert.node(message).owner_id, owner_id)

    def test_serving_is_said_by_the_list_alone(self) -> None:
        message = pb.Node(id=1, subnet_routes=["fd00::/64", "10.0.0.0/8"])
        self.assertIsNone(convert.node(message).routes.serving)
        self.assertEqual(convert.nodes([message])[0].routes.serving, ("10.0.0.0/8", "fd00::/64"))
        self.assertEqual(convert.nodes([pb.Node(id=1)])[0].routes.serving, ())

    def test_random_order_makes_no_difference(self) -> None:
        lists: dict[str, Any] = {
            "approved_routes": ["b", "a"],
            "available_routes": ["d", "c"],
            "subnet_routes": ["f", "e"],
            "tags": ["tag:b", "tag:a"],
        }
        turned = {name: values[::-1] for name, values in lists.items()}
        self.assertEqual(convert.nodes([pb.Node(id=1, **lists)]), convert.nodes([pb.Node(id=1, **turned)]))

    def test_key_it_joined_with(self) -> None:
        node = convert.node(pb.Node(id=1, pre_auth_key=pb.PreAuthKey(id=3, ephemeral=True), register_method=pb.REGISTER_METHOD_AUTH_KEY))
        self.assertEqual((node.joined_with, node.ephemeral, node.registered), (3, True, Registered.KEY))
        self.assertEqual((convert.node(pb.Node(id=1)).joined_with, convert.node(pb.Node(id=1)).ephemeral), (None, False))

    def test_a_way_to_register_that_came_later(self) -> None:
        message = pb.Node.FromString(
            pb.Node(id=1, register_method=pb.REGISTER_METHOD_CLI).SerializeToString().replace(b"\x68\x02", b"\x68\x09")
        )
        self.assertEqual(convert.node(message).registered, Registered.UNKNOWN)
