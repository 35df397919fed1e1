from __future__ import annotations

import socket

import pytest

from tests.harness import sockets
from tests.harness.sockets import connections_to


async def test_what_is_open_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connections_to(port) == 0
        with socket.create_connection(("127.0.0.1", port)):
            assert connections_to(port) == 1
            monkeypatch.setattr(sockets, "WAIT_S", 0.05)
            with pytest.raises(TimeoutError):
                await sockets.none_to(port)
        await sockets.none_to(port)
