"""Runs of files on real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.conformance.peer import CriPeer
from tests.agent.run.real import PodFiles


@pytest.fixture
async def pod_files(cri_server: CriPeer, tmp_path: Path) -> PodFiles:
    """Runs on each CRI server in turn."""
    return PodFiles(peer=cri_server, directory=tmp_path)
