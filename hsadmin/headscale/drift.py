"""Does the running headscale mean what we mean? Compares its description of itself, got by reflection, with our .proto. Pure.

What it has beyond ours does no harm and is not told. What it lacks, or numbers or types otherwise, would show as empty fields or as
changes nobody asked for (from 0.27 to 0.28, number 1 of ExpirePreAuthKeyRequest turned from a user's id into a key's): each is a sentence,
and the calls it touches are named, so that those which write can be refused.

Both sides are read from file descriptors into plain mappings. No descriptor pool is involved: theirs would clash with ours in the default
one, and could not be built without google/api/annotations, which we do not have and do not need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from hsadmin.headscale.methods import SERVICE
from hsadmin.headscale.pb import headscale_pb2 as pb


class Field(NamedTuple):
    name: str
    type: str  # "string", or the full name of a message or enum
    repeated: bool

    def __str__(self) -> str:
        return f"{'repeated ' if self.repeated else ''}{self.type} {self.name}"


class Call(NamedTuple):
    request: str
    response: str
    streams: bool


class Contract(NamedTuple):
    """A service in plain words: calls by name, fields by message and number, enum values by enum and number."""

    calls: Mapping[str, Call]
    messages: Mapping[str, Mapping[int, Field]]
    enums: Mapping[str, Mapping[int, str]]


class Difference(NamedTuple):
    """A sentence, and the calls that say or hear something else than we think."""

    sentence: str
    calls: frozenset[str]


def contract(files: Iterable[FileDescriptorProto], service: str = SERVICE) -> Contract:
    """What `files` say of `service`."""
    calls: dict[str, Call] = {}
    messages: dict[str, Mapping[int, Field]] = {}
    enums: dict[str, Mapping[int, str]] = {}
    for file in files:
        for described in file.service:
            if f"{file.package}.{described.name}" == service:
                for method in described.method:
                    streams = method.client_streaming or method.server_streaming
                    calls[method.name] = Call(method.input_type.lstrip("."), method.output_type.lstrip("."), streams)
        for name, message in _messages(file.package, file.message_type):
            messages[name] = {field.number: _field(field) for field in message.field}
            for enum in message.enum_type:
                enums[f"{name}.{enum.name}"] = {value.number: value.name for value in enum.value}
        for enum in file.enum_type:
            enums[f"{file.package}.{enum.name}"] = {value.number: value.name for value in enum.value}
    return Contract(calls, messages, enums)


def ours() -> Contract:
    """The contract hsadmin was compiled with."""
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return contract([file])


def differences(mine: Contract, theirs: Contract) -> tuple[Difference, ...]:
    """What of `mine` does not hold in `theirs`, in the order of `mine`."""
    found: list[Difference] = []
    touched: dict[str, set[str]] = {}
    for name, call in mine.calls.items():
        for message in _reachable(mine, call):
            touched.setdefault(message, set()).add(name)
        other = theirs.calls.get(name)
        if other is None:
            found.append(Difference(f"the running headscale has no call {name}.", frozenset({name})))
        elif other != call:
            found.append(
                Difference(f"the running headscale's call {name} is {_spoken(other)}, and ours {_spoken(call)}.", frozenset({name}))
            )
    for message, fields in mine.messages.items():
        calls = frozenset(touched.get(message, ()))
        found += [Difference(sentence, calls) for sentence in _field_faults(message, fields, theirs.messages.get(message))]
    for enum, values in mine.enums.items():
        calls = frozenset(touched.get(enum, ()))
        found += [
            Difference(
                f"in the running headscale, {number} of {enum} is {_other(theirs.enums.get(enum, {}), number)}, and ours {value}.", calls
            )
            for number, value in values.items()
            if theirs.enums.get(enum, {}).get(number) != value
        ]
    return tuple(found)


def _field_faults(message: str, mine: Mapping[int, Field], theirs: Mapping[int, Field] | None) -> Iterator[str]:
    if theirs is None:
        if mine:
            yield f"the running headscale has no message {message}."
        return
    for number, field in mine.items():
        if theirs.get(number) != field:
            yield f"in the running headscale, field {number} of {message} is {_other(theirs, number)}, and ours `{field}`."


def _other(theirs: Mapping[int, object], number: int) -> str:
    return f"`{theirs[number]}`" if number in theirs else "absent"


def _spoken(call: Call) -> str:
    return f"{call.request} to {call.response}{' (streaming)' if call.streams else ''}"


def _reachable(mine: Contract, call: Call) -> set[str]:
    """Messages and enums that `call` can carry."""
    seen: set[str] = set()
    ahead = [call.request, call.response]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += [field.type for field in mine.messages.get(name, {}).values() if "." in field.type]
    return seen


def _messages(scope: str, messages: Iterable[DescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
    for message in messages:
        name = f"{scope}.{message.name}"
        yield name, message
        yield from _messages(name, message.nested_type)


def _field(field: FieldDescriptorProto) -> Field:
    kind = field.type_name.lstrip(".") or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return Field(field.name, kind, field.label == FieldDescriptorProto.LABEL_REPEATED)
