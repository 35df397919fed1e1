"""Files to objects: where they are looked for, and how faults are named."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from podwright.agent.run.documents import find_files, load_files
from podwright.errors import InvalidArgument
from podwright.k8s.objects import ConfigMap, Pod, Secret, Service
from tests.agent.run.build import TEMPLATE, faults, load, pod_text, service_text, workload

BIG = 11 * 1024 * 1024


def test_documents_of_several_files_and_lists_are_read() -> None:
    objects = load(
        pod_text("a") + "---\n" + pod_text("b"),
        "apiVersion: v1\nkind: List\nitems:\n- "
        + pod_text("c")
        + "- {apiVersion: v1, kind: ConfigMap, metadata: {name: m}}\n",
    )
    assert [pod.metadata.name for pod in objects.of(Pod)] == ["a", "b", "c"]
    assert [item.metadata.name for item in objects.of(ConfigMap)] == ["m"]
    assert {each.metadata.namespace for each in objects.loaded} == {"default"}


def test_a_typed_list_and_json_are_read() -> None:
    pod = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    objects = load(json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [pod]}))
    assert [pod.metadata.name for pod in objects.of(Pod)] == ["a"]


def test_objects_have_their_defaults() -> None:
    objects = load(pod_text(), "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {k: v}}")
    assert objects.of(Pod)[0].spec.restart_policy == "Always"
    assert objects.of(Secret)[0].data == {"k": b"v"}
    given = objects.loaded[0].given
    assert isinstance(given, Pod)
    assert not given.spec.restart_policy


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: c\n    imge: x\n",
            "a.yaml:7: Pod web: spec.containers[0].imge: no such field (did you mean image?)",
            id="unknown field",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - image: i\n    name: A\n",
            "a.yaml:7: Pod web: spec.containers[0].name: Invalid value",
            id="what the API refuses",
        ),
        pytest.param("kind: Pod\n: [", "a.yaml:2: ", id="no YAML"),
        pytest.param("", "a.yaml: it holds no documents", id="empty"),
        pytest.param("- a\n", "a.yaml: document 1: is not a mapping of fields", id="a list"),
        pytest.param("metadata: {name: x}\n", "a.yaml:1: x: kind: Required value", id="no kind"),
        pytest.param(
            "apiVersion: v1\nkind: Deploymnt\n",
            "a.yaml:2: Deploymnt: kind: Deploymnt cannot be run (did you mean Deployment?)",
            id="a kind mistyped",
        ),
        pytest.param(
            "apiVersion: extensions/v1beta1\nkind: Ingress\n---\napiVersion: apps/v1beta1\nkind: Deployment\n",
            'a.yaml:4: Deployment: apiVersion: Unsupported value: "apps/v1beta1": supported values: "apps/v1"',
            id="an old version",
        ),
        pytest.param(
            pod_text() + "---\n" + pod_text(),
            "a.yaml:3: Pod web: metadata.name: default/web is given twice: the first one is at a.yaml:1",
            id="twice the same name",
        ),
        pytest.param(
            workload("Deployment").replace("matchLabels: {app: web}", "matchLabels: {app: other}"),
            "a.yaml:1: Deployment web: spec.template.metadata.labels: `selector` does not match template `labels`",
            id="a selector for other pods",
        ),
        pytest.param(
            workload("ReplicaSet", spec="replicas: 100000"),
            "a.yaml:1: ReplicaSet web: spec.replicas: Invalid value: 100000: must not be more than 500 on one machine",
            id="too many replicas",
        ),
        pytest.param(
            workload("StatefulSet", template=TEMPLATE.replace("image: r", "imag: r")),
            "a.yaml:1: StatefulSet web: spec.template.spec.containers[0].imag: no such field",
            id="a field of a template",
        ),
        pytest.param(
            workload("DaemonSet", template=TEMPLATE.replace("name: c", "name: C")),
            "a.yaml:1: DaemonSet web: spec.template.spec.containers[0].name: Invalid value",
            id="a template that the API refuses",
        ),
        pytest.param(
            pod_text(spec="volumes: [{name: v, persistentVolumeClaim: {claimName: ../../etc}}]"),
            "a.yaml:1: Pod web: spec.volumes[0].persistentVolumeClaim.claimName: Invalid value",
            id="a claim that leads out of the root",
        ),
        pytest.param(
            pod_text(metadata="uid: ../x"), "a.yaml:1: Pod web: metadata.uid: Invalid value", id="a UID that is a path"
        ),
        pytest.param(
            service_text(spec="ports: [{port: 80}, {port: 81, name: b}]"),
            "a.yaml:1: Service web: spec.ports[0].name: Required value",
            id="a port without a name",
        ),
        pytest.param(
            "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {nfs: {server: s, path: /x}}}",
            "a.yaml:1: PersistentVolume v: spec: only volumes of hostPath or local can be had here",
            id="a volume of a server",
        ),
        pytest.param(
            "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {local: {path: /srv/../etc}}}",
            "a.yaml:1: PersistentVolume v: spec.local.path: Invalid value",
            id="a volume that leads elsewhere",
        ),
        pytest.param(
            pod_text(container="resources: {limits: {example.com/gpu: 1}}"),
            "a.yaml:1: Pod web: spec.containers[0].resources.limits[example.com/gpu]: a run has no devices",
            id="a device of a plug-in",
        ),
        pytest.param(
            pod_text(spec="resourceClaims: [{name: gpu, resourceClaimName: gpu}]"),
            "a.yaml:1: Pod web: spec.resourceClaims: nothing here allots devices to claims",
            id="a claim of devices",
        ),
    ],
)
def test_faults_have_file_line_object_and_path(text: str, fault: str) -> None:
    assert any(line.startswith(fault) for line in faults(text)), faults(text)


def test_the_faults_of_all_files_are_named_together() -> None:
    lines = faults(pod_text("A"), pod_text("b", spec="restartPolicy: Perhaps"), "x")
    assert [line.split(":")[0] for line in lines] == ["a.yaml", "b.yaml", "c.yaml"]


def test_one_name_in_two_kinds_and_two_namespaces_is_no_fault() -> None:
    objects = load(pod_text(), service_text(), pod_text(metadata="namespace: other"))
    assert len(objects.of(Pod)) == 2
    assert len(objects.of(Service)) == 1


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        pytest.param("{apiVersion: v1, kind: Namespace, metadata: {name: n}}", "", id="nothing is lost"),
        pytest.param(
            "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}}",
            "b.yaml:1: Ingress i is left out: nothing here routes HTTP to pods",
            id="a kind of Kubernetes",
        ),
        pytest.param(
            "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}",
            "b.yaml:1: Widget w is left out: its controller does not run here",
            id="a custom kind",
        ),
        pytest.param(
            "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: w}, spec: {template: 1}}",
            "b.yaml:1: Service w is left out: its controller does not run here",
            id="a custom kind with a known name",
        ),
    ],
)
def test_other_kinds_are_left_out_with_a_warning(text: str, warning: str) -> None:
    assert load(pod_text(), text).warnings == ((warning,) if warning else ())


def test_a_folder_stands_for_its_manifests(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "README.md", ".hidden.yaml"):
        (tmp_path / name).write_text(pod_text(name[0]) if name[0] in "abc" else "x: [")
    (tmp_path / "folder.yaml").mkdir()
    found = find_files([str(tmp_path), str(tmp_path / "a.yml")])
    assert [os.path.basename(path) for path in found] == ["a.yml", "b.yaml", "c.json"]
    assert [pod.metadata.name for pod in load_files([str(tmp_path)]).of(Pod)] == ["a", "b", "c"]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(pod_text("a").encode())))
    assert [pod.metadata.name for pod in load_files(["-"]).of(Pod)] == ["a"]
    with pytest.raises(InvalidArgument, match="named twice"):
        find_files(["-", "-"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: None, "No such file", id="missing"),
        pytest.param(lambda path: path.mkdir(), "holds no manifests", id="an empty folder"),
        pytest.param(lambda path: path.symlink_to(path), "symbolic links", id="a loop of links"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "it is not a file", id="a device"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe\x00"), "is not UTF-8", id="other bytes"),
        pytest.param(lambda path: path.write_bytes(b"#" * BIG), "longer than", id="too long"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "x"
    assert callable(make)
    make(path)
    with pytest.raises(InvalidArgument, match=message) as caught:
        load_files([str(path)])
    assert str(path) in str(caught.value)
