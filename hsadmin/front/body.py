"""Bodies: the bytes of a framed body in, its payload out; and payload in, our framing out.

A decoder takes what arrives, in pieces of any size, and says how much of it was its own: what follows belongs to the next message. Chunk
extensions and trailers are checked, bounded and dropped. What was refused stays refused: a decoder that raised is not fed again.
"""

from __future__ import annotations

import re

from hsadmin.front.syntax import Refused

__all__ = ["LAST_CHUNK", "Body", "ChunkedBody", "LengthBody", "Refused", "UntilCloseBody", "as_chunk"]

LAST_CHUNK = b"0\r\n\r\n"
MAX_EXTENSION = 256  # bytes of a chunk's first line after its size
MAX_TRAILERS = 8 * 1024  # bytes of all trailer lines


def as_chunk(payload: bytes) -> bytes:
    """`payload` as one chunk; nothing for nothing, which would else be the last chunk."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


class LengthBody:
    """A body of exactly `length` bytes."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def done(self) -> bool:
        return self._left == 0

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """(payload, bytes consumed)."""
        payload = data[: self._left] if len(data) > self._left else data
        self._left -= len(payload)
        return payload, len(payload)

    def end_of_input(self) -> bool:
        """Whether the connection may end here."""
        return self.done


class UntilCloseBody:
    """A body that only the end of the connection ends; answers of upstreams only."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, int]:
        return data, len(data)

    def end_of_input(self) -> bool:
        self.done = True
        return True


_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16}+)\r\n")
_EXTENSION = rb";[\t\x20-\x7e\x80-\xff]{0,%d}+" % (MAX_EXTENSION - 1)
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16}+)(?:" + _EXTENSION + rb")?+\r\n")
_SIZE_LINE_SO_FAR = re.compile(rb"(?:[0-9A-Fa-f]{1,16}+(?:" + _EXTENSION + rb")?+\r?+)?+")
_TRAILER = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_TRAILER_LINE = re.compile(rb"(?:" + _TRAILER + rb"++:[\t\x20-\x7e\x80-\xff]*+)?+\r\n")
_TRAILER_LINE_SO_FAR = re.compile(rb"(?:" + _TRAILER + rb"++(?::[\t\x20-\x7e\x80-\xff]*+\r?+)?+|\r)?+")


class ChunkedBody:
    """A chunked body; `limit` bounds what its chunks may announce in sum.

    States: a size line, then that many bytes, then CRLF, again; after the chunk of size 0 trailer lines until an empty one.
    """

    __slots__ = ("_kept", "_left", "_limit", "_state", "_trailers", "done")

    def __init__(self, limit: int | None = None) -> None:
        self.done = False
        self._limit = limit
        self._state = self._size_line
        self._kept = b""  # the beginning of a line, or of a CRLF, whose end has not come
        self._left = 0
        self._trailers = 0

    def feed(self, data: bytes) -> tuple[bytes, int]:
        """(payload, bytes consumed)."""
        kept, self._kept = self._kept, b""
        whole = kept + data if kept else data
        payload: list[bytes] = []
        at = 0
        while not self.done and at < len(whole):
            before = at
            at = self._state(whole, at, payload)
            if at == before:
                self._kept = whole[at:]
                at = len(whole)
        return payload[0] if len(payload) == 1 else b"".join(payload), at - len(kept)

    def end_of_input(self) -> bool:
        return self.done

    # Each state takes what is whole at `at` and says where it ends; the same place when it needs more.

    def _size_line(self, data: bytes, at: int, payload: list[bytes]) -> int:
        found = _CHUNK.match(data, at) or _SIZE_LINE.match(data, at)
        if found is None:
            _still_viable(_SIZE_LINE_SO_FAR, data, at, "odd-chunk-size")
            return at
        self._left = int(found[1], 16)
        if self._limit is not None:
            self._limit -= self._left
            if self._limit < 0:
                raise Refused("body-too-large")
        self._state = self._payload if self._left else self._trailer_line
        return found.end()

    def _payload(self, data: bytes, at: int, payload: list[bytes]) -> int:
        piece = data[at : at + self._left]
        payload.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._state = self._end_of_chunk
        return at + len(piece)

    def _end_of_chunk(self, data: bytes, at: int, payload: list[bytes]) -> int:
        end = data[at : at + 2]
        if end == b"\r\n":
            self._state = self._size_line
            return at + 2
        if end != b"\r":
            raise Refused("odd-chunk-end")
        return at

    def _trailer_line(self, data: bytes, at: int, payload: list[bytes]) -> int:
        bound = at + MAX_TRAILERS - self._trailers
        found = _TRAILER_LINE.match(data, at, bound)
        if found is None:
            _still_viable(_TRAILER_LINE_SO_FAR, data[:bound], at, "odd-name")
            if len(data) >= bound:
                raise Refused("trailers-too-long")
            return at
        self._trailers += found.end() - at
        self.done = found.end() - at == 2
        return found.end()


Body = LengthBody | ChunkedBody | UntilCloseBody


def _still_viable(so_far: re.Pattern[bytes], data: bytes, at: int, rule: str) -> None:
    """Raises when the line that begins at `at` cannot become good; `rule` is broken when nothing more special is."""
    found = so_far.match(data, at)
    end = found.end() if found else at
    if end == len(data):
        return
    byte = data[end]
    if end > at and data[end - 1] == 0x0D:
        raise Refused("bare-cr")
    if byte == 0x0A:
        raise Refused("bare-lf")
    if byte != 0x0D and (byte < 0x20 or byte == 0x7F):
        raise Refused("control-byte")
    raise Refused("chunk-extension-too-long" if b";" in data[at:end] and rule == "odd-chunk-size" else rule)
