from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import FailedPrecondition
from podwright.runtime.cdi import document
from podwright.runtime.cdi.document import CdiDeviceNode, IntelRdt, parse

EDITS: dict[str, Any] = {"env": ["A=1"]}


def _file(version: str = "1.0.0", edits: object = EDITS, **fields: object) -> dict[str, Any]:
    devices = [{"name": "one", "containerEdits": edits}]
    return {"cdiVersion": version, "kind": "vendor.com/class", "devices": devices, **fields}


def _parse(value: object) -> document.CdiDocument:
    return parse(json.dumps(value).encode(), yaml=False)


def _edits(**fields: object) -> dict[str, Any]:
    return _file("1.1.0", {**EDITS, **fields})


WHOLE = """
cdiVersion: v0.7.0
kind: vendor.com/class.sub
annotations: {a: b}
containerEdits:
  env: [FILE=1]
devices:
- name: "0"
  annotations:
    c: d
  containerEdits:
    env:
    - DEVICE=a=b
    deviceNodes:
    - {path: /dev/x, hostPath: /dev/null, type: c, major: 1, minor: 3, fileMode: 0640, permissions: rw, uid: 1, gid: 2}
    - path: /dev/y
    mounts:
    - {hostPath: /lib, containerPath: /vendor, type: bind, options: [ro, bind]}
    hooks:
    - {hookName: createContainer, path: /bin/hook, args: [hook, x], env: [H=1], timeout: 5}
    intelRdt: {closID: c, l3CacheSchema: "L3:0=f", memBwSchema: "MB:0=20", enableCMT: true, enableMBM: true}
    additionalGids: [0, 44]
"""


def test_every_field_in_both_languages() -> None:
    from_yaml = parse(WHOLE.encode(), yaml=True)
    assert parse(json.dumps(yaml.safe_load(WHOLE)).encode(), yaml=False) == from_yaml
    [device] = from_yaml.devices
    edits = device.container_edits
    assert from_yaml.container_edits.env == ("FILE=1",)
    node = CdiDeviceNode(
        path="/dev/x",
        host_path="/dev/null",
        type="c",
        major=1,
        minor=3,
        file_mode=0o640,
        permissions="rw",
        uid=1,
        gid=2,
    )
    assert edits.device_nodes == (node, CdiDeviceNode(path="/dev/y"))
    assert edits.mounts[0].options == ("ro", "bind")
    assert (edits.hooks[0].hook_name, edits.hooks[0].timeout) == ("createContainer", 5)
    assert edits.intel_rdt == IntelRdt(
        clos_id="c", l3_cache_schema="L3:0=f", mem_bw_schema="MB:0=20", enable_cmt=True, enable_mbm=True
    )
    assert edits.additional_gids == (0, 44)


def test_nulls_are_absent_fields() -> None:
    assert _parse(_file(containerEdits=None, annotations=None)) == _parse(_file())


@pytest.mark.parametrize(
    ("version", "value"),
    [
        ("0.3.0", _file()),
        ("0.4.0", _file(edits={"mounts": [{"hostPath": "/a", "containerPath": "/b", "type": "bind"}]})),
        ("0.5.0", _file(edits={"deviceNodes": [{"path": "/dev/a", "hostPath": "/dev/b"}]})),
        ("0.5.0", _file(devices=[{"name": "0", "containerEdits": EDITS}])),
        ("0.6.0", _file(annotations={"a": "b"})),
        ("0.6.0", _file(kind="v.com/a.b")),
        ("0.7.0", _file(containerEdits={"additionalGids": [1]})),
        ("0.7.0", _file(edits={"intelRdt": {"closID": "x"}})),
        ("1.1.0", _file(edits={"netDevices": [{"hostInterfaceName": "eth7", "name": "net0"}]})),
        ("1.1.0", _file(edits={"intelRdt": {"schemata": ["MB:0=1"]}})),
    ],
)
def test_fields_need_the_version_that_brought_them(version: str, value: dict[str, Any]) -> None:
    assert _parse({**value, "cdiVersion": version}).cdi_version == version
    older = document.VERSIONS[: document.VERSIONS.index(version)]
    for lower in older[-1:]:
        with pytest.raises(FailedPrecondition, match=f"came with {version}"):
            _parse({**value, "cdiVersion": lower})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (_file("0.2.0"), "cdiVersion is '0.2.0'"),
        (_file("2.0.0"), "cdiVersion is '2.0.0'"),
        (_file(kind="class"), "not a kind"),
        (_file(kind="vendor.com/class/more"), "not a kind"),
        (_file(devices=[]), "no devices"),
        (_file(devices=[{"name": "a", "containerEdits": EDITS}] * 2), "twice"),
        (_file(devices=[{"name": "a", "containerEdits": {}}]), "changes nothing"),
        (_file(devices=[{"name": "a/b", "containerEdits": EDITS}]), "'a/b' is not the name"),
        (_file(devices=[{"name": "a"}]), "containerEdits"),
        (_file(surprise=1), "surprise"),
        (_edits(surprise=1), "surprise"),
        (_edits(env=["NOVALUE"]), "NAME=value"),
        (_edits(env=["=x"]), "NAME=value"),
        (_edits(env=["A=\0"]), "NUL"),
        (_edits(deviceNodes=[{"path": "dev/x"}]), "absolute"),
        (_edits(deviceNodes=[{"path": "/dev/x", "hostPath": "dev/x"}]), "absolute"),
        (_edits(deviceNodes=[{"path": "/dev/x", "type": "d"}]), "'d' is not a type"),
        (_edits(deviceNodes=[{"path": "/dev/x", "permissions": "rwx"}]), "'rwx'"),
        (_edits(deviceNodes=[{"path": "/dev/x", "uid": -1}]), "uid"),
        (_edits(deviceNodes=[{"path": "/dev/x", "major": 2**40}]), "major"),
        (_edits(mounts=[{"hostPath": "", "containerPath": "/x"}]), "missing"),
        (_edits(mounts=[{"hostPath": "/x", "containerPath": "x"}]), "not absolute"),
        (_edits(mounts=[{"hostPath": "/x", "containerPath": "/.."}]), "hides"),
        (_edits(hooks=[{"hookName": "sometimes", "path": "/x"}]), "'sometimes'"),
        (_edits(hooks=[{"hookName": "prestart", "path": "x"}]), "absolute"),
        (_edits(hooks=[{"hookName": "prestart", "path": "/x", "timeout": 0}]), "timeout"),
        (_edits(intelRdt={"closID": ".."}), "class of service"),
        (_edits(intelRdt={"closID": "a/b"}), "class of service"),
        ([], "cannot parse it"),
        (7, "cannot parse it"),
    ],
)
def test_what_makes_a_file_invalid(value: object, why: str) -> None:
    with pytest.raises(FailedPrecondition, match=why):
        _parse(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\xff",
        b"{",
        b"a: [",
        b"[" * 100_000,
        b"- ? {a: b}\n  : c",
        b"cdiVersion: 2001-99-99",
        b"&a [*a]",
        b"[&a [x], *a]",
    ],
)
@pytest.mark.parametrize("is_yaml", [True, False])
def test_what_is_no_document_at_all(text: bytes, is_yaml: bool) -> None:
    with pytest.raises(FailedPrecondition):
        parse(text, yaml=is_yaml)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    ["env", "deviceNodes", "mounts", "hooks", "path", "hostPath", "containerPath", "intelRdt", "closID", "uid", "x"]
)
near_edits = st.dictionaries(
    field_names, json_values | st.lists(st.dictionaries(field_names, json_values, max_size=4), max_size=2), max_size=4
)


@pytest.mark.parametrize("is_yaml", [True, False])
@given(value=st.one_of(json_values, near_edits.map(lambda edits: _file(edits=edits)), st.builds(_file, st.text())))
def test_any_value_is_a_document_or_one_error(is_yaml: bool, value: object) -> None:
    text = yaml.safe_dump(value) if is_yaml else json.dumps(value)
    with contextlib.suppress(FailedPrecondition):
        assert parse(text.encode(), yaml=is_yaml).devices


@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_one_error(data: bytes) -> None:
    for is_yaml in (False, True):
        with pytest.raises(FailedPrecondition):
            parse(data, yaml=is_yaml)
