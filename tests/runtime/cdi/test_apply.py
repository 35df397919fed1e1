from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from podwright.errors import FailedPrecondition
from podwright.runtime.cdi.apply import Injection, apply
from podwright.runtime.cdi.document import Edits

SPEC: dict[str, Any] = {
    "ociVersion": "1.0.2",
    "process": {"user": {"uid": 5, "gid": 6, "additionalGids": [6]}, "env": ["PATH=/bin", "A=old"]},
    "mounts": [{"destination": "/proc"}, {"destination": "/dev"}, {"destination": "/dev/shm"}],
    "linux": {
        "namespaces": [{"type": "mount"}],
        "devices": [{"path": "/dev/a", "type": "c", "major": 9, "minor": 9}],
        "resources": {"devices": [{"allow": False, "access": "rwm"}], "cpu": {"shares": 2}},
    },
}


def _applied(spec: dict[str, Any] = SPEC, **fields: object) -> dict[str, Any]:
    before = copy.deepcopy(spec)
    result = apply(spec, [Injection("v/c=d", msgspec.convert(fields, Edits))])
    assert spec == before
    return result


def test_nothing_stays_as_it_is() -> None:
    assert _applied() == SPEC
    assert apply(SPEC, []) is SPEC


def test_environment_replaces_and_adds() -> None:
    assert _applied(env=["A=new", "B=x=y"])["process"]["env"] == ["PATH=/bin", "A=new", "B=x=y"]


def test_groups() -> None:
    assert _applied(additionalGids=[0, 44, 6])["process"]["user"]["additionalGids"] == [6, 44]


def test_device_nodes_and_their_rules() -> None:
    linux = _applied(
        deviceNodes=[
            {"path": "/dev/a", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 0, "permissions": "r"},
            {"path": "/dev/b", "type": "b", "major": 8, "minor": 1},
            {"path": "/dev/p", "type": "p"},
            {"path": "/dev/n", "type": "u", "major": 2, "permissions": "none"},
        ]
    )["linux"]
    assert linux["devices"] == [
        {"path": "/dev/a", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 0, "gid": 6},
        {"path": "/dev/b", "type": "b", "major": 8, "minor": 1, "uid": 5, "gid": 6},
        {"path": "/dev/p", "type": "p", "uid": 5, "gid": 6},
        {"path": "/dev/n", "type": "u", "major": 2, "minor": 0, "uid": 5, "gid": 6},
    ]
    assert linux["resources"]["devices"] == [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"},
        {"allow": True, "type": "b", "major": 8, "minor": 1, "access": "rwm"},
    ]
    assert linux["resources"]["cpu"] == {"shares": 2}


def test_mounts_take_places_and_are_sorted() -> None:
    mounts = _applied(
        mounts=[
            {"hostPath": "/lib/x", "containerPath": "/dev/shm/", "options": ["ro", "rbind"]},
            {"hostPath": "/lib/y", "containerPath": "/a/b/c"},
            {"hostPath": "tmpfs", "containerPath": "/t", "type": "tmpfs", "options": ["nosuid"]},
        ]
    )["mounts"]
    assert mounts == [
        {"destination": "/proc"},
        {"destination": "/dev"},
        {"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
        {"destination": "/dev/shm", "type": "bind", "source": "/lib/x", "options": ["ro", "rbind"]},
        {"destination": "/a/b/c", "type": "bind", "source": "/lib/y", "options": ["bind"]},
    ]


@pytest.mark.parametrize(
    ("options", "given"),
    [(["bind"], ["bind", "idmap"]), (["rbind"], ["rbind", "ridmap"]), (["bind", "ridmap"], ["bind", "ridmap"])],
)
def test_binds_are_mapped_in_a_user_namespace(options: list[str], given: list[str]) -> None:
    spec = {**SPEC, "linux": {**SPEC["linux"], "namespaces": [{"type": "user", "path": "/x"}]}}
    [mount] = [
        mount
        for mount in _applied(spec, mounts=[{"hostPath": "/h", "containerPath": "/c", "options": options}])["mounts"]
        if mount["destination"] == "/c"
    ]
    assert mount["options"] == given


def test_hooks_are_added_to_those_that_are_there() -> None:
    spec = {**SPEC, "hooks": {"prestart": [{"path": "/ours"}]}}
    hooks = _applied(
        spec,
        hooks=[
            {"hookName": "prestart", "path": "/h", "args": ["h", "x"], "env": ["A=1"], "timeout": 3},
            {"hookName": "poststop", "path": "/end"},
        ],
    )["hooks"]
    assert hooks == {
        "prestart": [{"path": "/ours"}, {"path": "/h", "args": ["h", "x"], "env": ["A=1"], "timeout": 3}],
        "poststop": [{"path": "/end"}],
    }


def test_cache_and_bandwidth() -> None:
    assert _applied(intelRdt={"closID": "gold", "schemata": ["MB:0=1"], "enableMonitoring": True})["linux"][
        "intelRdt"
    ] == {"closID": "gold", "schemata": ["MB:0=1"], "enableMonitoring": True}


def test_interfaces_are_refused() -> None:
    with pytest.raises(FailedPrecondition, match="v/c=d needs network interfaces"):
        _applied(netDevices=[{"hostInterfaceName": "eth7", "name": "x"}])
