"""The fake headscale behind a Unix socket, by gRPC, with reflection:

fake = FakeHeadscale()
server = GrpcServer(fake, socket_path)     # listening now
fake.fail("ListNodes", "UNAVAILABLE")      # the next ListNodes
release = fake.hold("SetPolicy")           # the next SetPolicy waits for release.set()
server.stop()
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection

from hsadmin.headscale.methods import METHODS, SERVICE
from tests.fakes.headscale_people import Refuse
from tests.fakes.headscale_state import FakeHeadscale

__all__ = ["FakeHeadscale", "GrpcServer", "Refuse"]


class GrpcServer:
    """`fake` behind `socket_path`, on threads; listening once made."""

    def __init__(self, fake: FakeHeadscale, socket_path: Path, *, reflect: bool = True, pool: DescriptorPool | None = None) -> None:
        self.fake = fake
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, self._handlers()),))
        if reflect:
            reflection.enable_server_reflection((SERVICE, reflection.SERVICE_NAME), self._server, pool=pool)
        if not self._server.add_insecure_port(f"unix:{socket_path}"):
            raise OSError(f"cannot listen on {socket_path}")
        self._server.start()

    def stop(self) -> None:
        """At once, as SIGKILL: calls under way are cut."""
        self._server.stop(None).wait(10)

    def _handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        return {
            method.name: grpc.unary_unary_rpc_method_handler(
                self._handler(method.name),
                request_deserializer=method.request.FromString,
                response_serializer=method.response.SerializeToString,
            )
            for method in METHODS.values()
        }

    def _handler(self, call: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        def handle(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return self.fake.answer(call, request)
            except Refuse as refused:
                context.abort(grpc.StatusCode[refused.code], refused.text)

        return handle
