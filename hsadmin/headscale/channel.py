"""The only module that knows grpc: one connection to one running headscale.

Imported at the first `Link.up`, so that commands which never speak to headscale do not pay for grpc, and long after hsadmin's own package
set GRPC_ENABLE_FORK_SUPPORT, which grpc reads at its import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2

from hsadmin.headscale.bridge import Future
from hsadmin.headscale.methods import METHODS, SERVICE, Method
from hsadmin.headscale.refusals import WireError

LARGEST_ANSWER = 64 * 1024 * 1024  # 10,000 nodes of OIDC users with keys and routes are 12 MiB
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.default_authority", "localhost"),  # else the percent-encoded socket path
    ("grpc.max_receive_message_length", LARGEST_ANSWER),
    ("grpc.max_send_message_length", LARGEST_ANSWER),
    # A connection that fails is tried again at once; the default waits longer the longer headscale was away.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_retries", 0),  # what may be asked twice is decided in link.py
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel to the same path shares no connection with the old one
)  # and no keepalive: headscale answers more than one ping in five minutes with GOAWAY


class Channel:
    """A connection to the headscale that listens on `socket_path`, or will."""

    def __init__(self, socket_path: Path) -> None:
        self._channel = grpc.insecure_channel("unix:" + quote(str(socket_path.absolute())), options=OPTIONS)
        self._calls = {
            method.name: self._channel.unary_unary(
                method.path, request_serializer=_serializer(method.request), response_deserializer=method.response.FromString
            )
            for method in METHODS.values()
        }

    def start(self, method: Method, request: Message, seconds: float) -> Future:
        """Does not block. Nothing waits for a connection: without one the call fails at once."""
        future: Future = self._calls[method.name].future(request, timeout=seconds)
        return future

    def describe(self, seconds: float) -> Sequence[FileDescriptorProto]:
        """The files that state headscale's contract, as the running one describes itself. Blocks; raises WireError."""
        try:
            return self._describe(seconds)
        except (grpc.RpcError, ValueError) as error:  # ValueError: closed before it was asked
            raise self.fault(error) from None

    @staticmethod
    def fault(error: BaseException) -> WireError:
        """What grpc raised, as its status and text."""
        if isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
            return WireError(error.code().name, error.details() or "")
        return WireError("CANCELLED", "")  # the channel was closed under it

    def close(self) -> None:
        """Ends every call. Blocks for as long as grpc's threads take to notice."""
        self._channel.close()

    def _describe(self, seconds: float) -> Sequence[FileDescriptorProto]:
        ask = self._channel.stream_stream(
            REFLECTION,
            request_serializer=_serializer(reflection_pb2.ServerReflectionRequest),
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        found: dict[str, FileDescriptorProto] = {}
        asked: set[str] = set()
        questions = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)]
        while questions:
            for answer in ask(iter(questions), timeout=seconds):
                if answer.HasField("error_response"):
                    raise WireError("UNIMPLEMENTED", answer.error_response.error_message)
                for data in answer.file_descriptor_response.file_descriptor_proto:
                    file = FileDescriptorProto.FromString(data)
                    found[file.name] = file
            wanted = {name for file in found.values() for name in file.dependency if not name.startswith("google/")} - set(found) - asked
            asked |= wanted
            questions = [reflection_pb2.ServerReflectionRequest(file_by_filename=name) for name in sorted(wanted)]
        return tuple(found.values())


def _serializer(message: type[Message]) -> Callable[[Any], bytes]:
    serializer: Callable[[Any], bytes] = message.SerializeToString
    return serializer
