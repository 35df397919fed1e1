"""OCI hooks of folders: which files, which containers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import FailedPrecondition
from podwright.runtime.container import hooks_folder


def document(**fields: Any) -> bytes:
    whole = {"version": "1.0.0", "hook": {"path": "/h"}, "when": {"always": True}, "stages": ["prestart"], **fields}
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({}, False),
        ({"always": True}, True),
        ({"always": False}, False),
        ({"hasBindMounts": True}, True),
        ({"hasBindMounts": False}, False),
        ({"commands": ["^/bin/ls$"]}, False),
        ({"commands": ["no", "sh$"]}, True),
        ({"annotations": {"^a$": "^1$"}}, True),
        ({"annotations": {"^a$": "^1$", "^b$": "."}}, False),
        ({"always": True, "commands": ["no"]}, False),
    ],
)
def test_when(when: dict[str, Any], matches: bool) -> None:
    hook = hooks_folder.parse(document(when=when))
    assert hooks_folder.matches(hook.when, {"a": "1"}, "/bin/sh", has_binds=True) is matches


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"version": "0.1.0"}, "version"),
        ({"hook": {"path": "h"}}, "not absolute"),
        ({"stages": ["sometimes"]}, "sometimes"),
        ({"when": {"commands": ["("]}}, "regular expression"),
        ({"when": {"cmds": ["x"]}}, "cmds"),
    ],
)
def test_what_is_no_hook(tmp_path: Path, fields: dict[str, Any], why: str) -> None:
    (tmp_path / "x.json").write_bytes(document(**fields))
    with pytest.raises(FailedPrecondition, match=why):
        hooks_folder.read([str(tmp_path)])


def test_a_later_folder_replaces_and_names_order(tmp_path: Path) -> None:
    for folder, name, path in (("a", "2.json", "/a2"), ("a", "1.json", "/a1"), ("b", "2.json", "/b2"), ("b", "x", "")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(document(hook={"path": path}))
    found = hooks_folder.read([str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "none")])
    assert [hook.hook.path for hook in found] == ["/a1", "/b2"]


def test_it_is_added_to_its_stages() -> None:
    hook = hooks_folder.parse(
        document(hook={"path": "/h", "args": ["h"], "timeout": 3}, stages=["poststop", "createRuntime"])
    )
    spec: dict[str, Any] = {"hooks": {"poststop": [{"path": "/first"}]}}
    hooks_folder.add(spec, hook)
    program = {"path": "/h", "args": ["h"], "timeout": 3}
    assert spec["hooks"] == {"poststop": [{"path": "/first"}, program], "createRuntime": [program]}
