"""A client and servers that are slow, absent, or of another protocol."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest

from podwright.conformance.patience import patient
from podwright.cri import client
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, Unavailable


async def test_a_server_that_is_busy_is_waited_for(tmp_path: Path) -> None:
    """The kernel accepts the connection, and the server does not speak yet: only the call's deadline ends it."""
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(tmp_path / "s.sock"))
        busy.listen()
        async with CriClient(f"unix://{tmp_path}/s.sock") as cri:
            with pytest.raises(DeadlineExceeded, match="gives no answer in time"):
                await cri.call(cri.runtime.Version, api.VersionRequest(), timeout_s=1.5)


async def _version(path: Path) -> str:
    """The message of a failed call."""
    async with CriClient(f"unix://{path}") as cri:
        with pytest.raises(Unavailable) as caught:
            await cri.call(cri.runtime.Version, api.VersionRequest(), timeout_s=patient(30))
    return str(caught.value)


async def test_a_socket_that_is_not_there_is_named_in_plain_words(tmp_path: Path) -> None:
    assert await _version(tmp_path / "none.sock") == f"no process listens on {tmp_path}/none.sock"
    (tmp_path / "file").touch()
    assert await _version(tmp_path / "file") == f"no process listens on {tmp_path}/file"


async def test_a_server_that_has_begun_to_listen_since_is_not_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "why_unreachable", lambda _: None)
    said = await _version(tmp_path / "none.sock")
    assert said == f"no process listened on {tmp_path}/none.sock at the last try to connect"


def test_why_there_is_no_answer() -> None:
    said = "connection attempt timed out before receiving SETTINGS frame"
    assert client._no_answer("/s", said) == "the process that listens on /s does not answer: it is stopped, or hangs"
    assert client._no_answer("/s", "Failed parsing HTTP/2").startswith("the process that listens on /s does not speak")


async def test_a_server_of_another_protocol_is_told_apart(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()  # until the client has gone: it tells of its own broken write otherwise
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "s.sock"):
        said = await _version(tmp_path / "s.sock")
    assert said.startswith(f"the process that listens on {tmp_path}/s.sock does not speak gRPC: Failed parsing HTTP/2")


async def test_a_server_that_dies_in_a_call_is_missed(tmp_path: Path) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (tmp_path / "s.sock").unlink()
        writer.write(b"\0\0\0\4\0\0\0\0\0")  # HTTP/2's SETTINGS, so that the call begins
        await reader.read(100)
        writer.close()

    async with await asyncio.start_unix_server(leave, tmp_path / "s.sock"):
        assert await _version(tmp_path / "s.sock") == f"no process listens on {tmp_path}/s.sock"


async def test_the_words_of_a_server_that_stops_are_kept(tmp_path: Path) -> None:
    """gRPC's code and the channel's state are those of a broken connection."""
    begun = asyncio.Event()

    async def wait(_request: Any, _context: Any) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    server = grpc.aio.server()
    methods: dict[str, Any] = {"Version": grpc.unary_unary_rpc_method_handler(wait)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("runtime.v1.RuntimeService", methods),))
    server.add_insecure_port(f"unix://{tmp_path}/s.sock")
    await server.start()
    called = asyncio.create_task(_version(tmp_path / "s.sock"))
    await begun.wait()
    await server.stop(None)
    assert await called == "Cancelling all calls"
