"""Two agents never share a root directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.agent.root_lock import hold_root
from podwright.errors import FailedPrecondition


def test_one_agent_at_a_time(tmp_path: Path) -> None:
    root = tmp_path / "kubelet"
    with (
        hold_root(str(root)),
        pytest.raises(FailedPrecondition, match=f"another agent uses root directory {root}"),
        hold_root(str(root)),
    ):
        pass
    with hold_root(str(root)):
        assert list(root.iterdir()) == []


def test_a_root_that_is_no_directory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(FailedPrecondition, match=f"root directory {path} cannot be used"), hold_root(str(path)):
        pass
