"""The gRPC health protocol (grpc.health.v1), as a probe needs it: one plaintext Check.

Its two messages have one field each, so they are encoded here: HealthCheckRequest is `string service = 1`, and
HealthCheckResponse is `ServingStatus status = 1`.
"""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio

from podwright.agent.config.go_duration import SECOND_NS, format_duration
from podwright.agent.probes.attempt import Attempt, AttemptResult, failure
from podwright.agent.probes.http_client import VERSION

CHECK = "/grpc.health.v1.Health/Check"
SERVING = 1
STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
ANSWER_LIMIT_BYTES = 64 * 1024
OPTIONS = (
    ("grpc.primary_user_agent", f"kube-probe/{VERSION}"),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # every probe opens a connection
    ("grpc.max_receive_message_length", ANSWER_LIMIT_BYTES),
)
STRING_FIELD_1, VARINT_FIELD_1 = b"\x0a", 0x08


async def check_health(address: str, service: str, timeout_s: float) -> Attempt:
    """Send one Check, on a connection of its own."""
    limit = format_duration(int(timeout_s * SECOND_NS))
    phase = f'timeout: failed to connect service "{address}" within {limit}: context deadline exceeded'
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        check = channel.unary_unary(CHECK, request_serializer=encode_request, response_deserializer=decode_status)
        try:
            async with asyncio.timeout(timeout_s):
                await channel.channel_ready()
                phase = f"timeout: health rpc did not complete within {limit}"
                status = await check(service)
        except TimeoutError:
            return failure(phase)
        except grpc.aio.AioRpcError as failed:
            return failure(_rpc_failure(failed))
    if status != SERVING:
        return failure(f'service unhealthy (responded with "{STATUSES.get(status, status)}")')
    return Attempt(verdict=AttemptResult.SUCCESS, output="service healthy")


def _rpc_failure(failed: grpc.aio.AioRpcError) -> str:
    if failed.code() is grpc.StatusCode.UNIMPLEMENTED:
        protocol = "the grpc health protocol (grpc.health.v1.Health)"
        return f"error: this server does not implement {protocol}: {failed.details()}"
    return f"error: health rpc probe failed: rpc error: code = {failed.code().name} desc = {failed.details()}"


def encode_request(service: str) -> bytes:
    """A HealthCheckRequest."""
    name = service.encode()
    return STRING_FIELD_1 + _varint(len(name)) + name if name else b""


def decode_status(message: bytes) -> int:
    """The status in a HealthCheckResponse. 0 (UNKNOWN) when it is absent. Raises ValueError for other messages."""
    position, status = 0, 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        value, position = _read_varint(message, position)
        if tag == VARINT_FIELD_1:
            status = value
        elif tag & 7 == 2:  # a field of a later version: the value is its length
            position += value
        elif tag & 7 != 0:
            raise ValueError("not a HealthCheckResponse")
    return status


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(message: bytes, position: int) -> tuple[int, int]:
    number, shift = 0, 0
    while shift < 64 and position < len(message):
        byte = message[position]
        number |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return number, position
        shift += 7
    raise ValueError("not a HealthCheckResponse")
