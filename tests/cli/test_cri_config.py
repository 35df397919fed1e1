"""CRI configs as crictl takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.cli.cri_config import parse_config, read_container_config, read_pod_config
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument

CONTAINER = """
metadata: {name: main, attempt: 2}
image: {image: "busybox:1"}
command: [sh, -c]
envs:
- {key: A, value: "ü=1"}
log_path: main.log
labels: {app: demo}
linux:
  resources: {memory_limit_in_bytes: 1048576}
  security_context: {namespace_options: {network: 2, pid: CONTAINER}, run_as_user: {value: 7}}
"""
POD = (
    '{"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "logDirectory": "/l", "linux": {"cgroup_parent": "/c"}}'
)


def file_of(directory: Path, text: str) -> str:
    path = directory / "config"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_container_in_yaml(tmp_path: Path) -> None:
    config = read_container_config(file_of(tmp_path, CONTAINER))
    expected = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="main", attempt=2),
        image=api.ImageSpec(image="busybox:1", user_specified_image="busybox:1"),
        command=["sh", "-c"],
        envs=[api.KeyValue(key="A", value="ü=1".encode())],
        log_path="main.log",
        labels={"app": "demo"},
    )
    expected.linux.resources.memory_limit_in_bytes = 1048576
    expected.linux.security_context.namespace_options.network = api.NODE
    expected.linux.security_context.namespace_options.pid = api.CONTAINER
    expected.linux.security_context.run_as_user.value = 7
    assert config == expected


def test_a_pod_in_json_with_a_uid_of_its_own_and_without(tmp_path: Path) -> None:
    config = read_pod_config(file_of(tmp_path, POD))
    assert (config.metadata.uid, config.log_directory, config.linux.cgroup_parent) == ("u", "/l", "/c")
    made = [read_pod_config(file_of(tmp_path, POD.replace('"u"', '""'))).metadata.uid for _ in range(2)]
    assert len(set(made)) == 2
    assert all(made)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metadata: {name: p}", "metadata.namespace are required"),
        ("{}", "metadata.name"),
        ("- a", "is not a PodSandboxConfig"),
        ("", "is not a PodSandboxConfig"),
        ("a: [", "neither JSON nor YAML"),
        ("\x00", "neither JSON nor YAML"),
        ("[" * 200, "nested"),
        ("meta_data: {}", "there is no field meta_data, did you mean metadata?"),
        ("metadata: {nam: x}", "there is no field metadata.nam, did you mean name?"),
        ("port_mappings: [{}, {port: 1}]", "there is no field port_mappings[1].port"),
        ("metadata: {attempt: many}", "attempt"),
        ("linux: 5", "linux"),
        ("labels: [a]", "labels"),
    ],
)
def test_bad_configs_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = file_of(tmp_path, text)
    with pytest.raises(InvalidArgument) as caught:
        read_pod_config(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(path)


def test_a_container_needs_a_name_and_an_image(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"metadata\.name"):
        read_container_config(file_of(tmp_path, "image: {image: a}"))
    with pytest.raises(InvalidArgument, match=r"image\.image"):
        read_container_config(file_of(tmp_path, "metadata: {name: a}"))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidArgument):
        read_pod_config(str(tmp_path / "c"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("metadata", "name", "linux", "labels", "envs", "value", "image")), inner)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_any_document_is_a_config_or_a_named_error(content: object) -> None:
    try:
        parse_config(json.dumps(content).encode(), api.ContainerConfig(), "file")
    except InvalidArgument as failure:
        assert str(failure).startswith("file: ")  # noqa: PT017 # either is right
