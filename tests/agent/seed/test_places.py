from __future__ import annotations

from pathlib import Path

import pytest

from podwright.agent.seed.places import PodPlace, claimed, pods_root, sweep
from podwright.errors import FailedPrecondition

ENDPOINT = "unix:///run/x.sock"


def place(root: Path, uid: str, endpoint: str = ENDPOINT) -> PodPlace:
    logs = root / "logs" / uid
    logs.mkdir(parents=True, exist_ok=True)
    return PodPlace(directory=str(Path(pods_root(str(root))) / uid), log_directory=str(logs), endpoint=endpoint)


def test_only_what_dead_runs_left_is_swept(tmp_path: Path) -> None:
    for uid, endpoint in (("dead", ENDPOINT), ("elsewhere", "unix:///other.sock"), ("known", ENDPOINT)):
        with claimed(place(tmp_path, uid, endpoint)):
            pass
    (Path(pods_root(str(tmp_path))) / "not-ours").mkdir()
    with claimed(place(tmp_path, "alive")):
        assert sweep(str(tmp_path), ENDPOINT, frozenset({"known"})) == ["dead"]
    left = sorted(entry.name for entry in Path(pods_root(str(tmp_path))).iterdir())
    assert left == ["alive", "elsewhere", "known", "not-ours"]
    assert not (tmp_path / "logs/dead").exists()


def test_a_uid_is_run_once_at_a_time(tmp_path: Path) -> None:
    first, second = claimed(place(tmp_path, "one")), claimed(place(tmp_path, "one"))
    with first, pytest.raises(FailedPrecondition, match="another run"), second:
        pass


def test_nothing_to_sweep(tmp_path: Path) -> None:
    assert sweep(str(tmp_path / "none"), ENDPOINT, frozenset()) == []
