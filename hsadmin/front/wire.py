"""What the main process and a front worker say to each other, and how it lies on a pipe. Pure: values to bytes and back.

A frame is its length in four bytes, big-endian, and one message in MessagePack with its name in it. Both ends are of the same version, as the
main process starts its workers itself; anything that cannot be read is a fault of ours, and ends the worker.

    orders   Begin, then Certificate (when there is TLS), Standing, …; each one is carried out in turn and answered with Done
    tales    Up once the sockets are open; Report as things happen, the next one only after Heard; Said for the log
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

from hsadmin.front.terms import Terms
from hsadmin.model.front import AccessRecord, OpenStream

LONGEST = 64 << 20  # bytes of a frame; a report of 50,000 requests is about 5 MiB
ORDERS, TALES, FIRST_DOOR = 3, 4, 5  # descriptors of a worker
_HEAD = 4


class WireFault(Exception):
    """The other end does not speak this."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """An order or a tale."""


# — orders —


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """A listening socket that the worker has inherited as descriptor `fd`; the rest is as in listeners.ListenSpec."""

    fd: int
    tls: bool
    purpose: str
    address: str


class Begin(Message, frozen=True, kw_only=True):
    """The first order.

    `first_id` is the number before the worker's first tunnel, so that no two workers use the same; `access` whether records are wanted.
    """

    number: int
    doors: tuple[Door, ...]
    terms: Terms
    first_id: int
    access: bool


class Certificate(Message, frozen=True, kw_only=True):
    """What new connections see from now on; chain and key in PEM."""

    number: int
    chain: bytes
    key: bytes
    publicly_trusted: bool
    summary: str


class Standing(Message, frozen=True, kw_only=True):
    """How things stand outside: whether headscale may be asked, where, and what /readyz says."""

    number: int
    parked: bool
    ready: bool
    sentence: str
    host: str
    port: int


class CloseTunnels(Message, frozen=True, kw_only=True):
    """Done once the sockets to headscale are closed."""

    number: int


class Stop(Message, frozen=True, kw_only=True):
    """Close in order, tell the rest, and go."""

    number: int


class Heard(Message, frozen=True, kw_only=True):
    """The report of this number has arrived; the next may come."""

    report: int


Order = Begin | Certificate | Standing | CloseTunnels | Stop | Heard


# — tales —


class Up(Message, frozen=True, kw_only=True):
    """The worker listens."""


class Done(Message, frozen=True, kw_only=True):
    """The order of this number has been carried out."""

    number: int


class Report(Message, frozen=True, kw_only=True):
    """What happened since the last one. `counts` are since the worker's start and never fall; `now` are figures of this moment.

    `moved` has (id, received, sent) of tunnels that have carried something. Bytes of a tunnel come into `counts` with its end.
    """

    number: int
    counts: dict[str, int]
    now: dict[str, int]
    records: list[AccessRecord] = []
    opened: list[OpenStream] = []
    closed: list[int] = []
    moved: list[tuple[int, int, int]] = []


class Said(Message, frozen=True, kw_only=True):
    """A line for the log; `level` is one of Twisted's names."""

    level: str
    namespace: str
    text: str


Tale = Up | Done | Report | Said

M = TypeVar("M")
_encoder = msgspec.msgpack.Encoder()


def frame(message: Message) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(_HEAD, "big") + body


class Unframe(Generic[M]):
    """Bytes as they come, to messages of one side."""

    def __init__(self, kinds: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(kinds)
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[M]:
        """Raises WireFault."""
        held = self._held
        held += data
        while len(held) >= _HEAD:
            end = _HEAD + int.from_bytes(held[:_HEAD], "big")
            if end > LONGEST:
                raise WireFault(f"a frame of {end} bytes")
            if len(held) < end:
                return
            body = bytes(held[_HEAD:end])
            del held[:end]
            try:
                message = self._decoder.decode(body)
            except msgspec.MsgspecError as fault:
                raise WireFault(str(fault)) from None
            yield message


def orders() -> Unframe[Order]:
    return Unframe(Order)


def tales() -> Unframe[Tale]:
    return Unframe(Tale)
