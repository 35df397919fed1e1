from __future__ import annotations

import textwrap

import pytest

from podwright.agent.seed.manifest.bundle import load_bundle
from podwright.agent.seed.manifest.problems import ManifestError

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: c
    image: busybox
"""


def pod_with(text: str, *, where: str = "spec") -> str:
    """POD with more lines in its spec or in its container."""
    indent = {"spec": 2, "container": 4, "top": 0}[where]
    return POD + textwrap.indent(textwrap.dedent(text), " " * indent)


def problems(text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load_bundle(text)
    return [str(problem) for problem in caught.value.problems]


def test_a_minimal_pod_gets_the_defaults_of_the_api_server() -> None:
    bundle = load_bundle(POD)
    (container,) = bundle.pod.spec.containers
    assert bundle.pod.full_name == "default/p"
    assert bundle.pod.spec.restart_policy == "Always"
    assert bundle.pod.spec.termination_grace_period_seconds == 30
    assert container.image_pull_policy == "Always"
    assert container.termination_message_path == "/dev/termination-log"
    assert bundle.not_honoured == ()


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("busybox:1.36", "IfNotPresent"),
        ("localhost:5000/busybox", "Always"),
        ("localhost:5000/busybox:1", "IfNotPresent"),
        (f"busybox@sha256:{'a' * 64}", "IfNotPresent"),
        (f"busybox:latest@sha256:{'a' * 64}", "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    bundle = load_bundle(POD.replace("image: busybox", f"image: {image}"))
    assert bundle.pod.spec.containers[0].image_pull_policy == policy


def test_limits_fill_requests_and_host_network_fills_host_ports() -> None:
    text = pod_with(
        """\
        resources: {limits: {cpu: 1, memory: 64Mi}, requests: {cpu: 500m}}
        ports: [{containerPort: 80}]
        """,
        where="container",
    )
    container = load_bundle(text + "  hostNetwork: true\n").pod.spec.containers[0]
    assert container.resources.requests == {"cpu": "500m", "memory": "64Mi"}
    assert container.ports[0].host_port == 80


@pytest.mark.parametrize(
    ("where", "line", "path"),
    [
        ("container", "livenessProbe: {exec: {command: [a]}}", "spec.containers[0].livenessProbe"),
        ("container", "volumeDevices: [{name: a, devicePath: /dev/a}]", "spec.containers[0].volumeDevices"),
        ("container", "lifecycle: {preStop: {httpGet: {port: 80}}}", "spec.containers[0].lifecycle.preStop.httpGet"),
        ("spec", "nodeSelector: {a: b}", "spec.nodeSelector"),
        ("spec", "hostUsers: false", "spec.hostUsers"),
        ("spec", "securityContext: {fsGroupChangePolicy: Always}", "spec.securityContext.fsGroupChangePolicy"),
        ("top", "status: {phase: Running}", "status"),
        ("spec", "dnsPolicy: ClusterFirst", "spec.dnsPolicy"),
        ("spec", "volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]", "spec.volumes[0].emptyDir.sizeLimit"),
        ("container", "resources: {limits: {a.io/gpu: 1}}", "spec.containers[0].resources.limits.a.io/gpu"),
    ],
)
def test_a_field_that_is_not_honoured_is_named(where: str, line: str, path: str) -> None:
    assert load_bundle(pod_with(line, where=where)).not_honoured == (path,)


@pytest.mark.parametrize(
    "line",
    ["hostUsers: true", "automountServiceAccountToken: false", "tolerations: []", "nodeName: null", "affinity: {}"],
)
def test_a_value_that_changes_nothing_is_not_named(line: str) -> None:
    assert load_bundle(pod_with(line)).not_honoured == ()


@pytest.mark.parametrize(
    ("where", "line", "path", "message"),
    [
        (
            "container",
            "livenesProbe: {}",
            "spec.containers[0].livenesProbe",
            "no such field, did you mean livenessProbe?",
        ),
        ("container", "comand: [a]", "spec.containers[0].comand", "no such field, did you mean command?"),
        ("spec", "hostpid: true", "spec.hostpid", "no such field, did you mean hostPID?"),
        ("top", "xyzzy: 1", "xyzzy", "no such field"),
        ("container", "command: sh", "spec.containers[0].command", "expected a list, got a string"),
        (
            "container",
            "env: [{name: A, value: 1}]",
            "spec.containers[0].env[0].value",
            'expected str, got int; quote it: "1"',
        ),
        (
            "container",
            "env: [{name: A, value: yes}]",
            "spec.containers[0].env[0].value",
            'expected str, got bool; quote it: "true"',
        ),
        ("container", "env: [{value: a}]", "spec.containers[0].env[0].name", "is required"),
        ("container", "resources: 3", "spec.containers[0].resources", "expected a mapping of fields, got a number"),
        (
            "container",
            "imagePullPolicy: Sometimes",
            "spec.containers[0].imagePullPolicy",
            "Invalid enum value 'Sometimes'",
        ),
        (
            "container",
            "resources: {limits: {cpu: many}}",
            "spec.containers[0].resources.limits.cpu",
            "'many' is not a quantity (such as 500m, 2, 64Mi or 1.5Gi)",
        ),
        (
            "container",
            "resources: {limits: {cpu: 1}, requests: {cpu: 2}}",
            "spec.containers[0].resources.requests.cpu",
            "is more than the limit",
        ),
        (
            "container",
            "volumeMounts: [{name: v, mountPath: /v}]",
            "spec.containers[0].volumeMounts[0].name",
            "no volume is named 'v'",
        ),
        (
            "container",
            "ports: [{containerPort: 0}]",
            "spec.containers[0].ports[0].containerPort",
            "is not in 1 to 65535",
        ),
        (
            "container",
            "ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9}]",
            "spec.containers[0].ports[1].hostPort",
            "9/TCP is used twice",
        ),
        (
            "container",
            "lifecycle: {stopSignal: TERM}",
            "spec.containers[0].lifecycle.stopSignal",
            "is not a signal's name such as SIGTERM",
        ),
        (
            "container",
            "envFrom: [{}]",
            "spec.containers[0].envFrom[0]",
            "needs exactly one of configMapRef and secretRef",
        ),
        (
            "container",
            "envFrom: [{secretRef: {name: s}}]",
            "spec.containers[0].envFrom[0].secretRef.name",
            "the file holds no Secret named 's'",
        ),
        ("spec", "volumes: [{name: v, nfs: {}}]", "spec.volumes[0].nfs", "is not supported here"),
        (
            "spec",
            "volumes: [{name: v, emptyDir: {}, secret: {secretName: s, optional: true}}]",
            "spec.volumes[0]",
            "has more than one source: emptyDir, secret",
        ),
        (
            "spec",
            "volumes: [{name: v, hostPath: {path: /a/../b}}]",
            "spec.volumes[0].hostPath.path",
            "is not an absolute path without '..'",
        ),
        (
            "spec",
            "volumes: [{name: v, configMap: {name: m}}]",
            "spec.volumes[0].configMap",
            "the file holds no ConfigMap named 'm'",
        ),
        (
            "spec",
            "volumes: [{name: v, emptyDir: {sizeLimit: big}}]",
            "spec.volumes[0].emptyDir.sizeLimit",
            "'big' is not a quantity (such as 500m, 2, 64Mi or 1.5Gi)",
        ),
        ("spec", "hostname: A_b", "spec.hostname", "'A_b' is not a DNS label"),
        ("spec", "dnsPolicy: None", "spec.dnsConfig.nameservers", "is required with dnsPolicy None"),
        (
            "spec",
            "imagePullSecrets: [{name: k}]",
            "spec.imagePullSecrets[0].name",
            "the file holds no Secret named 'k'",
        ),
        ("spec", "initContainers: [{name: c, image: a}]", "spec.containers[0].name", "c is given twice"),
        (
            "spec",
            "hostNetwork: true\nsecurityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}]}",
            "spec.securityContext.sysctls[0].name",
            "net.core.somaxconn would change the host's network (hostNetwork)",
        ),
    ],
)
def test_faults_are_named_by_path(where: str, line: str, path: str, message: str) -> None:
    assert problems(pod_with(line, where=where)) == [f"{path}: {message}"]


def test_all_faults_come_at_once() -> None:
    found = problems(pod_with("tty: maybe\nstdin: 3\nsecurityContext: {privilged: true}", where="container"))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty; exactly one Pod is needed"),
        ("a: b", "document 1: has no kind; exactly one Pod is needed"),
        ("- a", "document 1: is not a mapping of fields"),
        ("kind: ]", "not valid YAML: line 1, column 7: did not find expected node content"),
        ("a: 1\na: 2", "not valid YAML: line 2, column 1: key 'a' is given twice"),
        (
            "kind: Deployment\nmetadata: {name: d}",
            "document 1 (Deployment d): is a Deployment; only one Pod and its ConfigMaps and Secrets can be run",
        ),
        (f"{POD}---\n{POD}", "exactly one Pod is needed, found document 1 (Pod p), document 2 (Pod p)"),
        ("kind: ConfigMap", "exactly one Pod is needed, found none"),
        (POD.replace("v1", "v2"), "apiVersion: Invalid enum value 'v2'"),
        (
            POD.replace("name: p", "name: P"),
            "metadata.name: 'P' is not a DNS name (lower case letters, digits, '-' and '.')",
        ),
    ],
)
def test_files_that_are_not_one_pod(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("kind: Secret\nmetadata: {name: s}\ndata: {a: '%'}", "document 2 (Secret s): data[a]: is not base64"),
        (
            "kind: ConfigMap\nmetadata: {name: m}\ndata: {a/b: c}",
            "document 2 (ConfigMap m): data[a/b]: keys are of letters, digits, '-', '_' and '.'",
        ),
        (
            "kind: ConfigMap\nmetadata: {name: m}\ndata: {a: 1}",
            "document 2 (ConfigMap m): data[a]: expected a string, got a number",
        ),
        (
            "kind: ConfigMap\nmetadata: {name: m, namespace: other}",
            "document 2 (ConfigMap m): metadata.namespace: is other, the Pod's is default",
        ),
        (
            "kind: Secret\nmetadata: {name: s}\ntipe: Opaque",
            "document 2 (Secret s): tipe: no such field, did you mean type?",
        ),
    ],
)
def test_objects_beside_the_pod_are_checked(document: str, problem: str) -> None:
    assert problems(f"{POD}---\napiVersion: v1\n{document}\n") == [problem]


def test_objects_become_bytes_and_string_data_wins() -> None:
    objects = """\
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {a: YWJj, b: eHl6}
stringData: {b: plain}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: m}
data: {day: 2024-01-01}
binaryData: {raw: AAE=}
"""
    bundle = load_bundle(POD + objects)
    assert bundle.secrets["s"].payload == {"a": b"abc", "b": b"plain"}
    assert bundle.config_maps["m"].payload == {"day": b"2024-01-01", "raw": b"\0\1"}


def test_json_is_yaml() -> None:
    text = '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}'
    assert load_bundle(text).pod.metadata.name == "p"


def test_aliases_cannot_make_a_small_file_huge() -> None:
    variables = ", ".join(f"{{name: V{number}}}" for number in range(1000))
    containers = "".join("  - {name: d, image: i, env: *all}\n" for _ in range(300))
    text = pod_with(f"env: &all [{variables}]", where="container").rstrip() + "\n" + containers
    assert problems(text) == ["holds more than 200000 values"]


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 100_000, "{a: " * 100_000, "- " * 100_000, "\n".join(" " * depth + "-" for depth in range(3000))],
    ids=["brackets", "braces", "one-line", "lines"],
)
def test_nesting_has_an_end(text: str) -> None:
    """libyaml's loader dies of these, and the process with it."""
    assert problems(text) == ["not usable YAML: it is nested more than 100 deep"]


def test_merges_of_merges_have_an_end() -> None:
    levels = [f"- &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}" for level in range(1, 10)]
    text = "z:\n  <<:\n  - &a0 {k: 1}\n  " + "\n  ".join(levels)
    [problem] = problems(text)
    assert problem.endswith("a mapping has more than 100000 keys")


def test_a_secret_is_not_shown_in_messages() -> None:
    found = problems(f"{POD}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata: {{a: hunter2!}}\n")
    assert "hunter2" not in found[0]
