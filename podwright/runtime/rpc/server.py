"""The gRPC server: a unix socket, one wrapper around every method, CRI's two services and our own.

`table` maps RPCs to methods.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import stat
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from podwright.cri.client import MESSAGE_LIMIT_BYTES
from podwright.cri.endpoint import socket_path
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.rpc.edge import Edge
from podwright.runtime.rpc.table import SERVICES, Table


def make_server(methods: Table, edge: Edge) -> grpc.aio.Server:
    """A server that does not listen yet. It calls the methods through the edge and rejects RPCs without a method."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
            ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
            ("grpc.so_reuseport", 0),
            # No pings to measure a local client's bandwidth: they cost a tenth of a small call.
            ("grpc.http2.bdp_probe", 0),
        ]
    )
    for service in SERVICES:
        handlers = {method.name: _handler(method, methods.get(method.name), edge) for method in service.methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    return server


def _handler(method: MethodDescriptor, target: Any, edge: Edge) -> grpc.RpcMethodHandler[Any, Any]:
    """`target` is None, a coroutine function, or an async generator function for a server-streaming RPC.

    A client-streaming method gets an iterator of requests. An item may be an InvalidArgument, which the method
    raises.
    """
    request_class = GetMessageClass(method.input_type)
    parse = functools.partial(_parse, request_class)
    if method.server_streaming:
        stream = edge.wrap_stream(method.name, target or edge.unimplemented_stream(method.name))
        return grpc.unary_stream_rpc_method_handler(stream, request_deserializer=parse, response_serializer=_serialize)
    wrapped = edge.wrap(method.name, target or edge.unimplemented(method.name))
    if method.client_streaming:
        return grpc.stream_unary_rpc_method_handler(
            wrapped, request_deserializer=parse, response_serializer=_serialize
        )
    return grpc.unary_unary_rpc_method_handler(wrapped, request_deserializer=parse, response_serializer=_serialize)


def _serialize(message: Message | bytes) -> bytes:
    """Encode a message. Some methods return an encoded reply."""
    return message if isinstance(message, bytes) else message.SerializeToString()


def _parse(kind: type[Message], data: bytes) -> Message | InvalidArgument:
    """The request, or an error for the edge to raise.

    If parsing raised, gRPC would answer INTERNAL and log a traceback.
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        return InvalidArgument(f"the request is not a {kind.DESCRIPTOR.name}")


async def listen(server: grpc.aio.Server, endpoint: str) -> str:
    """Bind the socket with mode 0600 and serve. Raises FailedPrecondition if the path is in use or cannot be used.

    The socket file of a dead daemon is replaced.
    """
    path = socket_path(endpoint)
    try:
        os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
    except OSError as failure:
        raise FailedPrecondition(
            f"cannot make the folder of socket {path}: {failure.strerror}",
            hint="correct that, or choose another --listen",
        ) from failure
    if _answers(path):
        raise FailedPrecondition(f"another process listens on {path}", hint="stop it, or choose another --listen")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FailedPrecondition(f"{path} is not a socket", hint="move it away, or choose another --listen")
        os.unlink(path)
    try:
        server.add_insecure_port(endpoint)
    except RuntimeError as failure:
        raise FailedPrecondition(f"cannot listen on {path}: {failure}") from failure
    os.chmod(path, 0o600)
    await server.start()
    return path


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
