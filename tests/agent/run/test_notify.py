"""Messages to a service manager."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from podwright.agent.run.notify import READY, notify
from podwright.conformance.patience import patient


@pytest.mark.parametrize("abstract", [False, True])
def test_a_service_manager_gets_the_message(tmp_path: Path, abstract: bool) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(patient(60))
        manager.bind(f"\0{name}" if abstract else name)
        assert notify(READY, f"@{name}" if abstract else name)
        assert manager.recv(100) == b"READY=1"


def test_without_one_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify(READY)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    assert not notify(READY)
    monkeypatch.setenv("NOTIFY_SOCKET", "vsock:2:1234")
    assert not notify(READY)
