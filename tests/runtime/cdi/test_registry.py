from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import FailedPrecondition
from podwright.runtime.cdi import Cdi, registry

NAME = "v.com/c=d"
SPEC: dict[str, Any] = {
    "process": {"user": {"uid": 0, "gid": 0}, "env": []},
    "linux": {"resources": {"devices": []}},
}


@pytest.fixture
def directories(tmp_path: Path) -> list[Path]:
    """Two directories, the later one first of all absent."""
    (tmp_path / "etc").mkdir()
    return [tmp_path / "etc", tmp_path / "run"]


def _write(file: Path, value: str, *names: str, **edits: object) -> None:
    file.parent.mkdir(exist_ok=True)
    changed = {"env": [f"FROM={value}"], **edits}
    devices = [{"name": name, "containerEdits": changed} for name in names or ("d",)]
    file.write_text(json.dumps({"cdiVersion": "1.0.0", "kind": "v.com/c", "devices": devices}))


def _environment(cdi: Cdi, *names: str) -> list[str]:
    env: list[str] = cdi.inject(SPEC, names or (NAME,))["process"]["env"]
    return env


def test_the_later_directory_counts_and_changes_are_seen(directories: list[Path]) -> None:
    cdi = Cdi([str(path) for path in directories])
    etc, run = directories
    with pytest.raises(FailedPrecondition, match=f"{NAME} is in no file of {etc}, {run}"):
        _environment(cdi)
    _write(etc / "x.json", "etc")
    assert _environment(cdi) == ["FROM=etc"]
    _write(etc / "x.json", "changed")
    assert _environment(cdi) == ["FROM=changed"]
    _write(run / "y.yaml", "run")  # JSON is YAML
    assert _environment(cdi) == ["FROM=run"]
    (run / "y.yaml").unlink()
    assert _environment(cdi) == ["FROM=changed"]


def test_files_are_read_once(directories: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    cdi = Cdi([str(path) for path in directories])
    _write(directories[0] / "x.json", "etc")
    assert _environment(cdi) == ["FROM=etc"]
    monkeypatch.setattr(registry, "parse", None)
    assert _environment(cdi) == ["FROM=etc"]
    assert cdi.inject(SPEC, ()) is SPEC


def test_two_files_of_one_directory(directories: list[Path]) -> None:
    cdi = Cdi([str(path) for path in directories])
    etc, run = directories
    _write(etc / "x.json", "x")
    _write(etc / "y.json", "y", "d", "only-y")
    with pytest.raises(FailedPrecondition, match=f"{NAME} is in {etc}/x.json and {etc}/y.json"):
        _environment(cdi)
    assert _environment(cdi, "v.com/c=only-y") == ["FROM=y"]
    _write(run / "z.json", "z")
    assert _environment(cdi) == ["FROM=z"]


def test_a_bad_file_spoils_no_other_and_is_told_of(directories: list[Path]) -> None:
    cdi = Cdi([str(path) for path in directories])
    etc, _ = directories
    _write(etc / "good.json", "good")
    (etc / "bad.json").write_text("{")
    (etc / "dangling.json").symlink_to("nowhere")
    (etc / "folder.json").mkdir()
    (etc / "readme.txt").write_text("not ours")
    (etc / "huge.json").write_bytes(b" " * (registry.FILE_LIMIT_BYTES + 1))
    assert _environment(cdi) == ["FROM=good"]
    with pytest.raises(FailedPrecondition) as refusal:
        _environment(cdi, "v.com/c=other")
    told = str(refusal.value)
    for words in (
        "v.com/c=other is in no file",
        "bad.json: cannot parse it",
        "huge.json: it is larger",
        "folder.json",
    ):
        assert words in told
    assert "readme" not in told


def test_a_files_own_edits_come_once_before_its_devices(directories: list[Path]) -> None:
    etc, _ = directories
    document = {
        "cdiVersion": "0.3.0",
        "kind": "v.com/c",
        "containerEdits": {"hooks": [{"hookName": "prestart", "path": "/file"}]},
        "devices": [
            {"name": name, "containerEdits": {"hooks": [{"hookName": "prestart", "path": f"/{name}"}]}}
            for name in "ab"
        ],
    }
    (etc / "x.json").write_text(json.dumps(document))
    spec = Cdi([str(etc)]).inject(SPEC, ("v.com/c=b", "v.com/c=a"))
    assert [hook["path"] for hook in spec["hooks"]["prestart"]] == ["/file", "/b", "/a"]


def test_nodes_are_completed_from_the_host(directories: list[Path]) -> None:
    etc, _ = directories
    link = etc.parent / "link"
    link.symlink_to("/dev/null")
    nodes = [
        {"path": "/dev/x", "hostPath": str(link)},
        {"path": "/dev/zero", "permissions": "r"},
        {"path": "/dev/absent", "type": "c", "major": 10, "minor": 3},
    ]
    _write(etc / "x.json", "x", deviceNodes=nodes)
    linux = Cdi([str(etc)]).inject(SPEC, (NAME,))["linux"]
    null = os.stat("/dev/null")
    assert linux["devices"][0] == {
        "path": "/dev/x",
        "type": "c",
        "major": 1,
        "minor": 3,
        "fileMode": null.st_mode & 0o7777,
        "uid": 0,
        "gid": 0,
    }
    assert [(rule["major"], rule["minor"], rule["access"]) for rule in linux["resources"]["devices"]] == [
        (1, 3, "rwm"),
        (1, 5, "r"),
        (10, 3, "rwm"),
    ]
    assert "fileMode" not in linux["devices"][2]


@pytest.mark.parametrize(
    "edits",
    [
        {"deviceNodes": [{"path": "/dev/not-there"}]},
        {"deviceNodes": [{"path": "/dev/x", "hostPath": "/etc/passwd"}]},
        {"deviceNodes": [{"path": "/dev/null", "type": "b"}]},
        {"mounts": [{"hostPath": "/not/there", "containerPath": "/x", "options": ["bind"]}]},
    ],
)
def test_what_the_host_lacks_is_named(directories: list[Path], edits: dict[str, object]) -> None:
    _write(directories[0] / "x.json", "x", **edits)
    with pytest.raises(FailedPrecondition, match=f"CDI device {NAME}: .*/"):
        _environment(Cdi([str(directories[0])]))
