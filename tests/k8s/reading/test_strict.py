"""Documents to objects with every fault by path and line."""

from __future__ import annotations

import pytest

from podwright.k8s.codec import decode
from podwright.k8s.objects import ConfigMap, Container, Deployment, Pod, PodSpec, Secret
from podwright.k8s.problems import ManifestError
from podwright.k8s.reading.documents import read_documents
from podwright.k8s.reading.strict import PROBLEMS_LIMIT, read_object
from tests.k8s.samples import POD_JSON


def faults(text: str, cls: type[Pod | ConfigMap | Secret | Deployment] = Pod) -> list[str]:
    with pytest.raises(ManifestError) as failure:
        read_object(read_documents(text)[0], cls)
    return [str(problem) for problem in failure.value.problems]


def test_a_document_of_the_api_is_read_as_the_codec_reads_it() -> None:
    text = POD_JSON.decode().replace('"fieldOfTheFuture": {"answer": [42]}', '"hostNetwork": false')
    assert read_object(read_documents(text)[0], Pod) == decode(text, Pod)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "spec:\n  containers:\n  - name: a\n    livenessProbe:\n      exec:\n        commandx: [a]\n",
            "line 6: spec.containers[0].livenessProbe.exec.commandx: no such field (did you mean command?)",
        ),
        ("spec:\n  tolerations: [{keyx: a}]\n", "line 2: spec.tolerations[0].keyx: no such field (did you mean key?)"),
        ("spec:\n  zzz: 1\n", "line 2: spec.zzz: no such field"),
        ("spec: {hostNetwork: 'yes'}", "line 1: spec.hostNetwork: expected true or false, got a string"),
        ("spec: {terminationGracePeriodSeconds: 1.5}", "expected a whole number, got a number"),
        ("spec: {terminationGracePeriodSeconds: yes}", "expected a whole number, got true or false"),
        ("spec: {containers: {name: a}}", "spec.containers: expected a list, got a mapping"),
        ("spec: [1]", "spec: expected a mapping of fields, got a list"),
        ("spec: {nodeSelector: [a]}", "spec.nodeSelector: expected a mapping, got a list"),
        (
            "spec: {containers: [{args: [0o440]}]}",
            'spec.containers[0].args[0]: expected a string, got a number (quote it: "0o440")',
        ),
        (
            "metadata: {labels: {a: y}}",
            'metadata.labels[a]: expected a string, got true or false (quote it: "y")',
        ),
        ("spec: {overhead: {cpu: 1 Gi}}", "spec.overhead[cpu]: '1 Gi' is not a quantity"),
        ("spec: {overhead: {cpu: yes}}", "spec.overhead[cpu]: expected a quantity, got true or false"),
        ("spec: {containers: [{ports: [{hostIP: 1}]}]}", 'hostIP: expected a string, got a number (quote it: "1")'),
        ("metadata: {creationTimestamp: yesterday}", "metadata.creationTimestamp: 'yesterday' is not a time"),
    ],
)
def test_faults_name_path_line_and_what_was_written(text: str, expected: str) -> None:
    (fault,) = faults(text)
    assert expected in fault


def test_every_fault_is_found() -> None:
    assert len(faults("a: 1\nspec: {b: 1, containers: [{c: 1, name: 1}]}")) == 4


def test_a_file_of_faults_is_not_read_to_its_end() -> None:
    assert len(faults("spec:\n" + "".join(f"  k{number}: 1\n" for number in range(50_000)))) == PROBLEMS_LIMIT


def test_secrets_are_not_shown() -> None:
    (fault,) = faults("data: {a: pa$$word}", Secret)
    assert fault == "line 1: data[a]: is not base64"


def test_what_go_takes_is_taken() -> None:
    text = """
        spec:
          containers:
          - {name: ~, args: [~], resources: {limits: {cpu: 0.5, memory: 1e9}}, livenessProbe: {httpGet: {}}}
          tolerations:
          terminationGracePeriodSeconds: 3e1
    """
    spec = read_object(read_documents(text)[0], Pod).spec
    container = spec.containers[0]
    assert (container.name, container.args, spec.tolerations) == ("", ("",), ())
    assert container.resources.limits == {"cpu": "0.5", "memory": "1000000000"}
    assert spec.termination_grace_period_seconds == 30
    assert read_object(read_documents("{data: {a: ~}}")[0], ConfigMap) == ConfigMap(data={"a": ""})
    assert read_object(read_documents("data:\n  a: |\n    QU\n    JD\n")[0], Secret).data == {"a": b"ABC"}
    assert read_object(read_documents("{spec: {template: }}")[0], Deployment).spec.template.spec == PodSpec(
        containers=()
    )
    assert read_object(read_documents("{spec: {containers: [~]}}")[0], Pod).spec.containers == (Container(name=""),)
