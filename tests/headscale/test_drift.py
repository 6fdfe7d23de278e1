"""A headscale with another contract is told in sentences."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from hsadmin.headscale.drift import Difference, contract, differences, ours
from hsadmin.headscale.pb import headscale_pb2 as pb
from tests.tables import TableCase, table

Edit = Callable[[FileDescriptorProto], object]


def other(edit: Edit) -> FileDescriptorProto:
    """Our own file, after `edit`."""
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    edit(file)
    return file


def message(file: FileDescriptorProto, name: str) -> int:
    return [described.name for described in file.message_type].index(name)


def drop_call(file: FileDescriptorProto) -> None:
    calls = file.service[0].method
    del calls[[call.name for call in calls].index("CheckPolicy")]


def renumber(file: FileDescriptorProto) -> None:
    field = file.message_type[message(file, "Node")].field[0]
    field.number = 27


def retype(file: FileDescriptorProto) -> None:
    file.message_type[message(file, "ExpirePreAuthKeyRequest")].field[0].name = "user"


def unrepeat(file: FileDescriptorProto) -> None:
    fields = file.message_type[message(file, "SetTagsRequest")].field
    fields[1].label = fields[0].label


def rename_value(file: FileDescriptorProto) -> None:
    file.enum_type[0].value[2].name = "REGISTER_METHOD_API"


def stream(file: FileDescriptorProto) -> None:
    next(call for call in file.service[0].method if call.name == "ListNodes").server_streaming = True


def drop_message(file: FileDescriptorProto) -> None:
    del file.message_type[message(file, "RenameNodeRequest")]


class Drift(TableCase):
    def found(self, edit: Edit) -> tuple[Difference, ...]:
        return differences(ours(), contract([other(edit)]))

    def test_none_with_itself(self) -> None:
        self.assertEqual(self.found(lambda _: None), ())

    def test_we_look_at_all_of_it(self) -> None:
        mine = ours()
        self.assertEqual((len(mine.calls), len(mine.messages), len(mine.enums)), (29, 62, 1))

    def test_what_it_has_beyond_ours_does_no_harm(self) -> None:
        def more(file: FileDescriptorProto) -> None:
            file.message_type[message(file, "Node")].field.add(name="os", number=99, type=9, label=1)
            file.message_type.add(name="MoveNodeRequest")
            file.service[0].method.add(name="MoveNode", input_type=".headscale.v1.MoveNodeRequest")
            file.enum_type[0].value.add(name="REGISTER_METHOD_NEW", number=9)

        self.assertEqual(self.found(more), ())

    @table(
        ("a call is missing", drop_call, "the running headscale has no call CheckPolicy.", {"CheckPolicy"}),
        (
            "a field means another",
            retype,
            "field 1 of headscale.v1.ExpirePreAuthKeyRequest is `uint64 user`, and ours `uint64 id`.",
            {"ExpirePreAuthKey"},
        ),
        (
            "one instead of many",
            unrepeat,
            "field 2 of headscale.v1.SetTagsRequest is `string tags`, and ours `repeated string tags`.",
            {"SetTags"},
        ),
        ("a call streams", stream, "the running headscale's call ListNodes is", {"ListNodes"}),
        ("a message is missing", drop_message, "the running headscale has no message headscale.v1.RenameNodeRequest.", {"RenameNode"}),
    )
    def test_told(self, name: str, edit: Edit, words: str, calls: set[str]) -> None:
        (difference,) = self.found(edit)
        self.assertIn(words, difference.sentence)
        self.assertEqual(difference.calls, calls)

    def test_a_moved_field_touches_every_call_that_carries_its_message(self) -> None:
        (difference,) = self.found(renumber)
        self.assertIn("field 1 of headscale.v1.Node is absent, and ours `uint64 id`.", difference.sentence)
        self.assertLessEqual({"GetNode", "ListNodes", "SetTags", "RenameNode", "AuthRegister"}, difference.calls)
        self.assertNotIn("ListUsers", difference.calls)

    def test_an_enum_value_touches_them_too(self) -> None:
        (difference,) = self.found(rename_value)
        self.assertIn("2 of headscale.v1.RegisterMethod is `REGISTER_METHOD_API`", difference.sentence)
        self.assertIn("ListNodes", difference.calls)

    def test_no_service_at_all(self) -> None:
        sentences = [difference.sentence for difference in differences(ours(), contract([]))]
        self.assertIn("the running headscale has no call Health.", sentences)
