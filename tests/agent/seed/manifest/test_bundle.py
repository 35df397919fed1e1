from __future__ import annotations

import textwrap

import pytest

from podwright.agent.seed.manifest.bundle import load_bundle
from podwright.k8s.problems import ManifestError

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
        (f"busybox:latest@sha256:{'a' * 64}", "Always"),  # as Kubernetes: the tag counts beside a digest
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
        (
            "container",
            "resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]",
            "spec.containers[0].resizePolicy",
        ),
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
    ("where", "line", "message"),
    [
        (
            "container",
            "livenesProbe: {}",
            "line 8: spec.containers[0].livenesProbe: no such field (did you mean livenessProbe?)",
        ),
        (
            "container",
            "livenessProbe: {exec: {commandx: [a]}}",
            "line 8: spec.containers[0].livenessProbe.exec.commandx: no such field (did you mean command?)",
        ),
        (
            "spec",
            "tolerations: [{keyx: a}]",
            "line 8: spec.tolerations[0].keyx: no such field (did you mean key?)",
        ),
        ("spec", "hostpid: true", "line 8: spec.hostpid: no such field (did you mean hostPID?)"),
        ("top", "xyzzy: 1", "line 8: xyzzy: no such field"),
        ("container", "command: sh", "line 8: spec.containers[0].command: expected a list, got a string"),
        (
            "container",
            "env: [{name: A, value: 1}]",
            'line 8: spec.containers[0].env[0].value: expected a string, got a number (quote it: "1")',
        ),
        (
            "container",
            "env: [{name: A, value: yes}]",
            'line 8: spec.containers[0].env[0].value: expected a string, got true or false (quote it: "yes")',
        ),
        ("container", "env: [{value: a}]", "spec.containers[0].env[0].name: Required value"),
        (
            "container",
            "imagePullPolicy: Sometimes",
            (
                'spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes": supported values: '
                '"Always", "IfNotPresent", "Never"'
            ),
        ),
        (
            "container",
            "resources: {limits: {cpu: many}}",
            (
                "line 8: spec.containers[0].resources.limits[cpu]: 'many' is not a quantity "
                "(such as 500m, 2, 64Mi or 1.5Gi)"
            ),
        ),
        (
            "container",
            "resources: {limits: {cpu: 1}, requests: {cpu: 2}}",
            'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            "container",
            "ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9}]",
            'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//9"',
        ),
        (
            "container",
            "envFrom: [{secretRef: {name: s}}]",
            "spec.containers[0].envFrom[0].secretRef.name: the file holds no Secret named 's'",
        ),
        (
            "container",
            "env: [{name: A, valueFrom: {fileKeyRef: {volumeName: v, path: a, key: b}}}]",
            "spec.containers[0].env[0].valueFrom.fileKeyRef: is not supported here",
        ),
        (
            "container",
            "env: [{name: A, valueFrom: {resourceFieldRef: {containerName: x, resource: limits.cpu}}}]",
            'spec.containers[0].env[0].valueFrom.resourceFieldRef.containerName: Not found: "x"',
        ),
        ("spec", "volumes: [{name: v, nfs: {server: a, path: /b}}]", "spec.volumes[0].nfs: is not supported here"),
        (
            "spec",
            "volumes: [{name: v, emptyDir: {medium: HugePages}}]",
            "spec.volumes[0].emptyDir.medium: HugePages is not supported here",
        ),
        (
            "spec",
            "volumes: [{name: v, hostPath: {path: a}}]",
            'spec.volumes[0].hostPath.path: Invalid value: "a": must be an absolute path',
        ),
        (
            "spec",
            "volumes: [{name: v, configMap: {name: m}}]",
            "spec.volumes[0].configMap: the file holds no ConfigMap named 'm'",
        ),
        (
            "spec",
            "imagePullSecrets: [{name: k}]",
            "spec.imagePullSecrets[0].name: the file holds no Secret named 'k'",
        ),
        ("spec", "os: {name: windows}", "spec.os.name: windows is not supported here"),
    ],
)
def test_faults_are_named_by_path(where: str, line: str, message: str) -> None:
    assert message in problems(pod_with(line, where=where))


def test_all_faults_come_at_once() -> None:
    found = problems(pod_with("tty: maybe\nstdin: 3\nsecurityContext: {privilged: true}", where="container"))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty; exactly one Pod is needed"),
        ("a: b", "document 1: has no kind; exactly one Pod is needed"),
        ("- a", "document 1: is not a mapping of fields"),
        ("kind: ]", "line 1: not valid YAML: column 7: did not find expected node content"),
        ("a: 1\na: 2", "line 2: not usable YAML: key 'a' is given twice, first in line 1"),
        (
            "kind: Deployment\nmetadata: {name: d}",
            "document 1 (Deployment d): is a Deployment; only one Pod and its ConfigMaps and Secrets can be run",
        ),
        (f"{POD}---\n{POD}", "exactly one Pod is needed, found document 1 (Pod p), document 2 (Pod p)"),
        ("kind: ConfigMap", "exactly one Pod is needed, found none"),
        (POD.replace("v1", "v2"), 'apiVersion: Unsupported value: "v2": supported values: "v1"'),
        (
            POD.replace("name: p", "generateName: p-"),
            "metadata.name: Required value: nothing here makes a name from generateName",
        ),
    ],
)
def test_files_that_are_not_one_pod(text: str, problem: str) -> None:
    assert problems(text) == [problem]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            "kind: Secret\nmetadata: {name: s}\ndata: {a: '%'}",
            "line 12: document 2 (Secret s): data[a]: is not base64",
        ),
        (
            "kind: ConfigMap\nmetadata: {name: m}\ndata: {..a: c}",
            "document 2 (ConfigMap m): data[..a]: Invalid value: \"..a\": must not start with '..'",
        ),
        (
            "kind: ConfigMap\nmetadata: {name: m}\ndata: {a: 1}",
            'line 12: document 2 (ConfigMap m): data[a]: expected a string, got a number (quote it: "1")',
        ),
        (
            "kind: ConfigMap\nmetadata: {name: m, namespace: other}",
            'document 2 (ConfigMap m): metadata.namespace: Invalid value: "other": the Pod\'s is default',
        ),
        (
            "kind: Secret\nmetadata: {name: s}\ntipe: Opaque",
            "line 12: document 2 (Secret s): tipe: no such field (did you mean type?)",
        ),
        (
            "kind: Secret\nmetadata: {name: s}\ntype: Opaque\nstringData: {a: no}",
            'line 13: document 2 (Secret s): stringData[a]: expected a string, got true or false (quote it: "no")',
        ),
        (
            (
                "kind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/dockerconfigjson\n"
                "stringData: {.dockerconfigjson: x}"
            ),
            'document 2 (Secret s): data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": is not JSON',
        ),
        (
            "kind: ConfigMap\nmetadata: {name: m}\ndata: {a: " + "x" * 2**20 + "x}",
            "document 2 (ConfigMap m): Too long: may not be more than 1048576 bytes",
        ),
    ],
)
def test_objects_beside_the_pod_are_checked(document: str, problem: str) -> None:
    assert problems(f"{POD}---\napiVersion: v1\n{document}\n") == [problem]


def test_binary_data_is_no_variable() -> None:
    text = pod_with("env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: raw}}}]", where="container")
    objects = "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\nbinaryData: {raw: AAE=}\n"
    [problem] = problems(text + objects)
    assert problem.endswith("key 'raw' of ConfigMap 'm' is in binaryData, which never becomes a variable")


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
    [problem] = problems(text)
    assert problem.endswith("not usable YAML: it holds more than 200000 values")


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 100_000, "{a: " * 100_000, "- " * 100_000, "\n".join(" " * depth + "-" for depth in range(3000))],
    ids=["brackets", "braces", "one-line", "lines"],
)
def test_nesting_has_an_end(text: str) -> None:
    """libyaml's loader dies of these, and the process with it."""
    [problem] = problems(text)
    assert problem.endswith(("it is nested more than 100 deep", "exceeded maximum nesting depth"))


def test_a_secret_is_not_shown_in_messages() -> None:
    found = problems(f"{POD}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata: {{a: hunter2!}}\n")
    assert "hunter2" not in found[0]


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("container", "securityContext: {seccompProfile: {type: Localhost}}"),
        ("container", "securityContext: {seccompProfile: {type: Localhost, localhostProfile: a/../../b}}"),
        ("spec", "securityContext: {seccompProfile: {type: Localhost, localhostProfile: /etc/a.json}}"),
        ("container", "securityContext: {seccompProfile: {type: RuntimeDefault, localhostProfile: a.json}}"),
        ("container", "lifecycle: {postStart: {}}"),
        ("container", "lifecycle: {preStop: {exec: {command: [a]}, sleep: {seconds: 1}}}"),
        ("container", "livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}"),
        ("container", "ports: [{containerPort: 80, name: an-endless-port-name}]"),
        ("container", "ports: [{containerPort: 80, name: a}, {containerPort: 81, name: a}]"),
        ("spec", "dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]}"),
        (
            "spec",
            (
                "volumes: [{name: v, projected: {sources: [{downwardAPI: {items: ["
                "{path: a, fieldRef: &f {fieldPath: metadata.name}}, {path: a, fieldRef: *f}]}}]}}]"
            ),
        ),
    ],
)
def test_what_the_api_refuses_is_refused(where: str, line: str) -> None:
    assert problems(pod_with(line, where=where))


def test_host_ports_of_different_addresses_are_taken() -> None:
    ports = "[{containerPort: 80, hostPort: 80}, {containerPort: 80, hostPort: 80, hostIP: 127.0.0.1}]"
    load_bundle(pod_with(f"ports: {ports}", where="container"))


def test_scalars_are_what_kubernetes_own_reader_makes_of_them() -> None:
    text = pod_with(
        """\
        args: [22:22, 10:30:00, =, ~, 2026-03-01]
        env:
        - &base {name: A, value: x}
        - <<: *base
          name: B
        """,
        where="container",
    )
    pod = load_bundle(text + "  terminationGracePeriodSeconds: 0o440\n").pod
    assert pod.spec.containers[0].args == ("22:22", "10:30:00", "=", "", "2026-03-01")
    assert [(item.name, item.value) for item in pod.spec.containers[0].env] == [("A", "x"), ("B", "x")]
    assert pod.spec.termination_grace_period_seconds == 288
