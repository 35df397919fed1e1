"""Port-forward: the time of a small HTTP request with and without it, and its throughput."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

from podwright.bench.suites.base import Bench
from podwright.bench.targets.base import StartedPod
from podwright.bench.timing import since_ms
from podwright.errors import DeadlineExceeded, Internal, PodwrightError

HTTP_PORT, BULK_PORT = 8080, 9001
BULK_BYTES = 256 * 1024 * 1024
BULK_BLOCK_BYTES = 256 * 1024
REQUEST = b"GET /passwd HTTP/1.0\r\n\r\n"
HTTP_SERVER = f"httpd -p {HTTP_PORT} -h /etc"
# busybox's head gives 250 MB/s at most, its dd ten times that.
BULK_SOURCE = f"dd if=/dev/zero bs={BULK_BLOCK_BYTES} count={BULK_BYTES // BULK_BLOCK_BYTES}"
BULK_SERVER = f"nc -ll -p {BULK_PORT} -e {BULK_SOURCE}"
SERVERS = ("sh", "-c", f"{HTTP_SERVER}; {BULK_SERVER} & trap 'exit 0' TERM; wait")
READY_LIMIT_S = 30.0
EXCHANGE_LIMIT_S = 60.0
READ_BYTES = 256 * 1024
MIB = 1024 * 1024
BULKS = 3

Connect = Callable[[], AbstractAsyncContextManager[socket.socket]]


async def port_forward(bench: Bench) -> None:
    """Run on a pod with servers. Raises Unimplemented without port-forward support, and DeadlineExceeded."""
    pod = await bench.target.start_pod(SERVERS)
    async with bench.target.tunnel(pod) as tunnel:
        through = partial(tunnel.connection, HTTP_PORT)
        direct = await _direct(bench, pod, HTTP_PORT)
        answer_bytes = await _first_answer(through)
        for _ in range(bench.options.execs):
            through_ms = await _exchange_ms(through, REQUEST, answer_bytes)
            direct_ms = await _exchange_ms(direct, REQUEST, answer_bytes)
            bench.sheet.add("HTTP request, port-forward", through_ms)
            bench.sheet.add("HTTP request, direct", direct_ms)
            bench.sheet.add("added by port-forward", through_ms - direct_ms)
        for name, connect in (
            ("port-forward, from the pod", partial(tunnel.connection, BULK_PORT)),
            ("direct, from the pod", await _direct(bench, pod, BULK_PORT)),
        ):
            for _ in range(BULKS):
                taken_ms = await _exchange_ms(connect, b"", BULK_BYTES)
                bench.sheet.add(name, BULK_BYTES / MIB / taken_ms * 1000, "MiB/s")
    await bench.target.end_pod(pod)


async def _direct(bench: Bench, pod: StartedPod, port: int) -> Connect:
    """The same connection without port-forward, from this machine to the pod's address."""
    address = await bench.target.address(pod)

    @contextlib.asynccontextmanager
    async def connect() -> AsyncIterator[socket.socket]:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as connection:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
            yield connection

    return connect


async def _exchange_ms(connect: Connect, request: bytes, answer_bytes: int) -> float:
    """Connect, send the request, and read an answer of a known length, without waiting for the end of the connection.

    HTTP clients do the same. containerd 1.6 ends a forwarded connection a second after the server did. Raises
    DeadlineExceeded, and Internal for a short answer.
    """
    began_ns, taken_ms = time.perf_counter_ns(), 0.0
    try:
        async with asyncio.timeout(EXCHANGE_LIMIT_S), connect() as connection:
            await asyncio.get_running_loop().sock_sendall(connection, request)
            got = await _read(connection, answer_bytes)
            taken_ms = since_ms(began_ns)
    except TimeoutError as failure:
        raise DeadlineExceeded(f"nothing came from the pod in {EXCHANGE_LIMIT_S:g} s") from failure
    if got != answer_bytes:
        raise Internal(f"{got} of {answer_bytes} bytes came from the pod")
    return taken_ms


async def _read(connection: socket.socket, limit_bytes: int) -> int:
    """Read up to `limit_bytes`, or to the end. Returns the number of bytes."""
    loop, got = asyncio.get_running_loop(), 0
    buffer = memoryview(bytearray(READ_BYTES))
    while got < limit_bytes and (count := await loop.sock_recv_into(connection, buffer[: limit_bytes - got])):
        got += count
    return got


async def _first_answer(connect: Connect) -> int:
    """Wait for the servers. Returns the length of the answer to REQUEST. Raises DeadlineExceeded."""
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(PodwrightError, OSError, TimeoutError):
            async with asyncio.timeout(READY_LIMIT_S), connect() as connection:
                await asyncio.get_running_loop().sock_sendall(connection, REQUEST)
                got = await _read(connection, READ_BYTES)
            if got:
                return got
        await asyncio.sleep(0.05)
    raise DeadlineExceeded(f"the servers in the pod did not answer in {READY_LIMIT_S:g} s")
