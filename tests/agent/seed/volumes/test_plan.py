from __future__ import annotations

import pytest

from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.volumes.mounts import MountsPlan, plan_mounts
from podwright.agent.seed.volumes.plan import DirectoryPlan, FilesPlan, HostPathPlan, TmpfsPlan, plan_volumes
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from tests.agent.seed.build import GIB, context

OBJECTS = """\
{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {one: '1', two: '2'}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {key: hush}}
"""
PROJECTED = (
    "projected: {sources: [{configMap: {name: m}}, {secret: {name: s, items: [{key: key, path: two}]}}, "
    "{downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}"
)
ROOT = "/agent/pods/u-1/volumes"


@pytest.mark.parametrize(
    ("source", "plan"),
    [
        ("emptyDir: {}", DirectoryPlan(path=f"{ROOT}/kubernetes.io~empty-dir/v")),
        ("", DirectoryPlan(path=f"{ROOT}/kubernetes.io~empty-dir/v")),
        ("emptyDir: {sizeLimit: 1Mi}", DirectoryPlan(path=f"{ROOT}/kubernetes.io~empty-dir/v")),
        (
            "emptyDir: {medium: Memory, sizeLimit: 1Mi}",
            TmpfsPlan(path=f"{ROOT}/kubernetes.io~empty-dir/v", size_bytes=2**20),
        ),
        ("emptyDir: {medium: Memory}", TmpfsPlan(path=f"{ROOT}/kubernetes.io~empty-dir/v", size_bytes=8 * GIB)),
        ("hostPath: {path: /srv, type: Directory}", HostPathPlan(path="/srv", type="Directory")),
    ],
)
def test_plain_volumes(source: str, plan: object) -> None:
    fields = f"name: v, {source}" if source else "name: v"
    assert plan_volumes(context(f"volumes: [{{{fields}}}]")) == {"v": plan}


def test_memory_is_bounded_by_the_containers_limits() -> None:
    pod = context("volumes: [{name: v, emptyDir: {medium: Memory}}]", container="resources: {limits: {memory: 5Mi}}")
    plan = plan_volumes(pod)["v"]
    assert isinstance(plan, TmpfsPlan)
    assert plan.size_bytes == 5 * 2**20


@pytest.mark.parametrize(
    ("source", "files", "in_memory"),
    [
        ("configMap: {name: m}", [("one", b"1", 0o644), ("two", b"2", 0o644)], False),
        ("configMap: {name: m, defaultMode: 0400, items: [{key: two, path: a/b}]}", [("a/b", b"2", 0o400)], False),
        ("configMap: {name: none, optional: true}", [], False),
        ("secret: {secretName: s, items: [{key: key, path: k, mode: 0600}]}", [("k", b"hush", 0o600)], True),
        (
            "downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.annotations}}]}",
            [("l", b'a="x"\nb="y z"', 0o644)],
            True,
        ),
        (
            PROJECTED,
            [("one", b"1", 0o644), ("two", b"hush", 0o644), ("name", b"p", 0o644)],
            True,
        ),
    ],
)
def test_volumes_of_files(source: str, files: list[tuple[str, bytes, int]], in_memory: bool) -> None:
    made = context(f"volumes: [{{name: v, {source}}}]", metadata="annotations: {b: y z, a: x}", objects=OBJECTS)
    plan = plan_volumes(made)["v"]
    assert isinstance(plan, FilesPlan)
    assert plan.in_memory == in_memory
    assert [(file.path, file.data, file.mode) for file in plan.files] == files


def mounts(container: str, variables: dict[str, str | bytes] | None = None) -> tuple[PodContext, MountsPlan]:
    pod = context("volumes: [{name: v, emptyDir: {}}, {name: h, hostPath: {path: /srv}}]", container=container)
    plan = plan_mounts(pod, pod.pod.spec.containers[0], plan_volumes(pod), variables or {}, 1)
    return pod, plan


def test_mounts_in_order_with_the_pods_own_files() -> None:
    _, plan = mounts(
        "securityContext: {privileged: true}, volumeMounts: [{name: h, mountPath: /h, readOnly: true}, "
        "{name: v, mountPath: /v, mountPropagation: Bidirectional}]"
    )
    assert [(item.container_path, item.host_path, item.readonly) for item in plan.mounts] == [
        ("/h", "/srv", True),
        ("/v", f"{ROOT}/kubernetes.io~empty-dir/v", False),
        ("/etc/hosts", "/agent/pods/u-1/etc-hosts", False),
        ("/dev/termination-log", "/agent/pods/u-1/containers/c/00000001", False),
    ]
    assert plan.mounts[1].propagation == api.PROPAGATION_BIDIRECTIONAL


@pytest.mark.parametrize("sub_path", ["", ", subPath: one", ", subPathExpr: one"], ids=["whole", "path", "expression"])
@pytest.mark.parametrize(
    ("source", "read_only"),
    [
        ("configMap: {name: m}", True),
        ("secret: {secretName: s}", True),
        ("downwardAPI: {items: [{path: one, fieldRef: {fieldPath: metadata.name}}]}", True),
        (PROJECTED, True),
        ("emptyDir: {}", False),
        ("emptyDir: {medium: Memory}", False),
        ("hostPath: {path: /srv}", False),
    ],
    ids=["configMap", "secret", "downwardAPI", "projected", "emptyDir", "memory", "hostPath"],
)
def test_what_a_volume_demands_counts_beside_what_its_mount_asks_for(
    source: str, sub_path: str, read_only: bool
) -> None:
    pod = context(
        f"volumes: [{{name: v, {source}}}]",
        container=f"volumeMounts: [{{name: v, mountPath: /v{sub_path}}}, {{name: v, mountPath: /r, readOnly: true}}]",
        objects=OBJECTS,
    )
    plan = plan_mounts(pod, pod.pod.spec.containers[0], plan_volumes(pod), {}, 0)
    assert [mount.readonly for mount in plan.mounts[:2]] == [read_only, True]


def test_a_container_may_bring_its_own_hosts_and_no_message_file() -> None:
    _, plan = mounts("terminationMessagePath: /etc/../etc/hosts, volumeMounts: [{name: h, mountPath: /etc/hosts}]")
    assert [item.container_path for item in plan.mounts] == ["/etc/hosts"]


def test_sub_paths_are_bound_first() -> None:
    _, plan = mounts("volumeMounts: [{name: v, mountPath: /v, subPathExpr: 'a/$(N)'}]", {"N": "b"})
    (bind,) = plan.binds
    assert bind.subpath == "a/b"
    assert plan.mounts[0].host_path == bind.target == "/agent/pods/u-1/volume-subpaths/v/c/0"


@pytest.mark.parametrize("value", [None, "..", "/etc"])
def test_a_sub_path_expression_cannot_lead_out(value: str | None) -> None:
    variables: dict[str, str | bytes] = {} if value is None else {"N": value}
    with pytest.raises(InvalidArgument, match="subPathExpr"):
        mounts("volumeMounts: [{name: v, mountPath: /v, subPathExpr: $(N)}]", variables)
