"""What one machine makes of the objects of files."""

from __future__ import annotations

import re

import pytest

from podwright.agent.pods.identity import CONFIG_HASH
from podwright.agent.run.workloads import JobVerdict, OrderedPods, WorkloadState
from podwright.k8s.objects import Pod
from tests.agent.run.build import (
    START,
    TEMPLATE,
    ended,
    faults,
    job_text,
    names,
    plan,
    pod_text,
    running,
    service_text,
    workload,
)

CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: d}
spec: {resources: {requests: {storage: 1Gi}}}
"""
LETTERS = "[bcdfghjklmnpqrstvwxz2456789]"


def only(*texts: str) -> Pod:
    (pod,) = plan(*texts).all_pods()
    return pod


def test_a_pod_gets_the_identity_of_its_run() -> None:
    pod = only(pod_text())
    assert (pod.metadata.namespace, pod.metadata.name, pod.spec.node_name) == ("default", "web", "node1")
    assert pod.metadata.annotations[CONFIG_HASH] == pod.metadata.uid
    assert re.fullmatch("run-[0-9a-f]{32}", pod.metadata.uid)
    assert pod.status.phase == "Pending"


def test_a_pod_runs_here_whatever_node_it_asks_for() -> None:
    asked = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{}]}}}"
    pod = only(pod_text(spec=f"nodeName: far, nodeSelector: {{disk: ssd}}, {asked}"))
    assert (pod.spec.node_name, pod.spec.node_selector, pod.spec.affinity) == ("node1", {}, None)


def test_uids_follow_from_the_contents_and_the_run() -> None:
    def uid(text: str, run_id: str = "run") -> str:
        return plan(text, run_id=run_id).all_pods()[0].metadata.uid

    assert uid(pod_text()) == uid(pod_text())
    assert uid(pod_text()) != uid(pod_text(container="tty: true"))
    assert uid(pod_text()) != uid(pod_text(), "another run")
    assert uid(pod_text(metadata="uid: abc-1")) == "abc-1"


def test_generate_name_becomes_a_name() -> None:
    text = pod_text().replace("name: web", "generateName: web-")
    assert re.fullmatch(f"web-{LETTERS}{{5}}", only(text).metadata.name)


def test_a_deployment_is_the_pods_of_its_replica_set() -> None:
    text = workload("Deployment", spec="replicas: 3")
    pods = plan(text).all_pods()
    hashes = {pod.metadata.labels["pod-template-hash"] for pod in pods}
    assert len(pods) == len(set(names(pods))) == 3
    (hashed,) = hashes
    assert all(re.fullmatch(f"web-{hashed}-{LETTERS}{{5}}", name) for name in names(pods))
    assert re.fullmatch(f"{LETTERS}{{1,10}}", hashed)
    (owner,) = pods[0].metadata.owner_references
    assert (owner.kind, owner.name, owner.controller) == ("ReplicaSet", f"web-{hashed}", True)
    assert names(plan(text).all_pods()) == names(pods)


def test_the_hash_of_a_template_changes_with_the_template_alone() -> None:
    def hashed(text: str) -> str:
        return plan(text).all_pods()[0].metadata.labels["pod-template-hash"]

    first = hashed(workload("Deployment"))
    assert hashed(workload("Deployment", name="other", spec="replicas: 2")) == first
    assert hashed(workload("Deployment", template=TEMPLATE.replace("i:1", "i:2"))) != first


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param(workload("ReplicaSet"), 1, id="one by default"),
        pytest.param(workload("ReplicaSet", spec="replicas: 2"), 2, id="as many as it says"),
        pytest.param(workload("ReplicaSet", spec="replicas: 0"), 0, id="none"),
        pytest.param(workload("DaemonSet"), 1, id="a machine is one node"),
    ],
)
def test_replicas(text: str, count: int) -> None:
    pods = plan(text).all_pods()
    assert len(pods) == count
    assert all(re.fullmatch(f"web-{LETTERS}{{5}}", name) for name in names(pods))


def test_a_long_name_leaves_room_for_letters() -> None:
    pods = plan(workload("ReplicaSet", name="x" * 63)).all_pods()
    assert len(pods[0].metadata.name) == 63


def test_a_stateful_set_has_stable_names_and_claims_of_its_own() -> None:
    claims = "serviceName: db, replicas: 2, ordinals: {start: 3}, volumeClaimTemplates: [{metadata: {name: data}}]"
    template = TEMPLATE.replace("image: r", "volumeMounts: [{name: data, mountPath: /d}], image: r")
    made = plan(workload("StatefulSet", spec=claims, template=template))
    first, second = made.all_pods()
    assert names([first, second]) == ["web-3", "web-4"]
    assert (first.spec.hostname, first.spec.subdomain) == ("web-3", "db")
    assert first.metadata.labels["apps.kubernetes.io/pod-index"] == "3"
    assert first.metadata.labels["statefulset.kubernetes.io/pod-name"] == "web-3"
    (volume,) = first.spec.volumes
    assert volume.host_path is not None
    assert (volume.name, volume.host_path.path) == ("data", "/claims/default/data-web-3")
    assert made.folders == ("/claims/default/data-web-3", "/claims/default/data-web-4")


def test_a_stateful_set_starts_one_pod_after_the_other() -> None:
    (steps,) = plan(workload("StatefulSet", spec="replicas: 3")).workloads
    assert isinstance(steps, OrderedPods)
    first, second, third = (pod.metadata.uid for pod in steps.members)
    assert names(steps.pods({}, START)) == ["web-0"]
    assert names(steps.pods({first: running()}, START)) == ["web-0"]
    statuses = {first: running(ready=True)}
    assert names(steps.pods(statuses, START)) == ["web-0", "web-1"]
    statuses = {first: running(ready=True), second: running(ready=True), third: running()}
    assert names(steps.pods(statuses, START)) == ["web-0", "web-1", "web-2"]
    assert steps.is_complete(statuses)
    statuses[first] = running()  # it is not ready any more: what was started stays
    assert names(steps.pods(statuses, START)) == ["web-0", "web-1", "web-2"]
    del statuses[third]
    assert names(steps.pods(statuses, START)) == ["web-0", "web-1"]
    assert not steps.is_complete(statuses)


def test_a_parallel_stateful_set_starts_all_at_once() -> None:
    (steps,) = plan(workload("StatefulSet", spec="replicas: 3, podManagementPolicy: Parallel")).workloads
    assert len(steps.pods({}, START)) == 3


@pytest.mark.parametrize(
    ("phases", "verdict"),
    [
        pytest.param((), WorkloadState.RUNNING, id="nothing known"),
        pytest.param((0, None), WorkloadState.RUNNING, id="one runs"),
        pytest.param((0, 0), WorkloadState.SUCCEEDED, id="all have succeeded"),
        pytest.param((1, None), WorkloadState.FAILED, id="one has failed"),
    ],
)
def test_replicas_are_over_together(phases: tuple[int | None, ...], verdict: WorkloadState) -> None:
    (group,) = plan(workload("ReplicaSet", spec="replicas: 2")).workloads
    uids = [pod.metadata.uid for pod in group.pods({}, START)]
    statuses = {uid: running() if code is None else ended(code) for uid, code in zip(uids, phases, strict=False)}
    assert group.verdict(statuses, START) == JobVerdict(state=verdict)


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        pytest.param(
            (pod_text("web-0"), workload("StatefulSet")),
            "StatefulSet default/web: pod default/web-0 is also one of Pod default/web-0 (rename one of the two)",
            id="two pods of one name",
        ),
        pytest.param(
            (
                pod_text("a", container="ports: [{containerPort: 80, hostPort: 80}]"),
                pod_text("b", container="ports: [{containerPort: 8, hostPort: 80, hostIP: 127.0.0.1}]"),
            ),
            "pod default/b: hostPort 80/TCP is taken by pod default/a (one machine has each port once)",
            id="two pods on one port",
        ),
        pytest.param((service_text(),), "the files hold nothing to run", id="no pods"),
        pytest.param(
            (job_text(kind="CronJob"),),
            "CronJob work: a run does not keep schedules, and there is nothing else",
            id="a schedule alone",
        ),
        pytest.param(
            (pod_text(container="envFrom: [{configMapRef: {name: m}}]"),),
            "a.yaml:1: Pod web: spec.containers[0].envFrom[0].configMapRef.name: no ConfigMap 'm' is in the files",
            id="no ConfigMap",
        ),
        pytest.param(
            (
                workload(
                    "Deployment",
                    template=TEMPLATE.replace(
                        "image: r", "env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}], image: r"
                    ),
                ),
                "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {other: v}}",
            ),
            "a.yaml:1: Deployment web: spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef: "
            "Secret 's' has no key 'k'",
            id="no key",
        ),
        pytest.param(
            (
                pod_text(spec="volumes: [{name: v, configMap: {name: m}}]"),
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: m, namespace: other}}",
            ),
            "a.yaml:1: Pod web: spec.volumes[0].configMap: no ConfigMap 'm' is in the files",
            id="in another namespace",
        ),
    ],
)
def test_faults_of_objects_together(texts: tuple[str, ...], fault: str) -> None:
    assert any(line.startswith(fault) for line in faults(*texts)), faults(*texts)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("hostPort: 80, hostIP: 127.0.0.1", "hostPort: 80, hostIP: 127.0.0.2", id="addresses"),
        pytest.param("hostPort: 80", "hostPort: 80, protocol: UDP", id="protocols"),
        pytest.param("name: a", "name: b", id="no host port"),
    ],
)
def test_ports_that_do_not_clash(first: str, second: str) -> None:
    texts = [pod_text(n, container=f"ports: [{{containerPort: 80, {p}}}]") for n, p in (("a", first), ("b", second))]
    assert len(plan(*texts).all_pods()) == 2


@pytest.mark.parametrize(
    ("texts", "warning"),
    [
        pytest.param(
            (pod_text(spec="nodeSelector: {disk: ssd}"),),
            "Pod web: spec.nodeSelector is not honoured: there is no scheduler, every pod runs on this machine",
            id="a node selector",
        ),
        pytest.param(
            (workload("Deployment", spec="strategy: {type: Recreate}"),),
            "Deployment web: spec.strategy is not honoured: a run starts its pods once and does not roll out changes",
            id="a strategy",
        ),
        pytest.param(
            (workload("Deployment", template=TEMPLATE.replace("spec: {", "spec: {affinity: {nodeAffinity: {}}, ")),),
            "Deployment web: spec.template.spec.affinity is not honoured: "
            "there is no scheduler, every pod runs on this machine",
            id="an affinity in a template",
        ),
        pytest.param(
            (pod_text(metadata="labels: {app: web}"), service_text(spec="type: LoadBalancer, ports: [{port: 80}]")),
            "Service web: spec.type is not honoured: "
            "nothing here forwards connections from outside: give a container a hostPort",
            id="a load balancer",
        ),
        pytest.param(
            (
                pod_text(metadata="labels: {app: web}"),
                service_text(spec="ports: [{port: 80, targetPort: 8080}]"),
            ),
            "Service web: spec.ports[0].targetPort is not honoured: "
            "nothing here translates ports: connect to 8080, as the service's variables say",
            id="another port",
        ),
        pytest.param(
            (pod_text(), service_text()),
            "Service web: spec.selector matches no pod of the files: its name leads nowhere",
            id="a service without pods",
        ),
        pytest.param(
            (pod_text(spec="volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]"),),
            "PersistentVolumeClaim default/data is not in the files: it gets a folder all the same",
            id="a claim from elsewhere",
        ),
        pytest.param(
            (
                pod_text(),
                CLAIM,
            ),
            "PersistentVolumeClaim d: spec.resources is not honoured: the folder of a claim has no limit of its own",
            id="the size of a claim",
        ),
        pytest.param(
            (pod_text(), job_text(kind="CronJob")),
            "CronJob work: spec.schedule '0 4 * * *' is not kept: it is left out (--now runs its job once)",
            id="a schedule",
        ),
        pytest.param(
            (job_text(spec="podFailurePolicy: {rules: []}"),),
            "Job work: spec.podFailurePolicy is not honoured: every failure of a pod counts alike",
            id="a failure policy",
        ),
        pytest.param(
            (job_text(spec="suspend: true"),),
            "Job work: spec.suspend: no pod is started, and nothing resumes it",
            id="a job that sleeps",
        ),
    ],
)
def test_what_is_not_honoured_is_named_once(texts: tuple[str, ...], warning: str) -> None:
    assert plan(*texts).warnings.count(warning) == 1, plan(*texts).warnings


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param((pod_text(spec="serviceAccountName: default, automountServiceAccountToken: false"),), id="pod"),
        pytest.param((workload("Deployment", spec="replicas: 2"),), id="deployment"),
        pytest.param((workload("StatefulSet", spec="serviceName: db"),), id="stateful set"),
        pytest.param((pod_text(metadata="labels: {app: web}"), service_text()), id="service"),
        pytest.param((job_text(spec="completions: 3, parallelism: 2, backoffLimit: 1"),), id="job"),
        pytest.param((pod_text(spec="tolerations: [{operator: Exists}]"),), id="tolerations"),
    ],
)
def test_what_is_honoured_is_not_warned_of(texts: tuple[str, ...]) -> None:
    assert plan(*texts).warnings == ()


def test_claims_are_folders_and_read_only_ones_are_mounted_so() -> None:
    text = pod_text(
        spec="volumes: [{name: v, persistentVolumeClaim: {claimName: data, readOnly: true}}, {name: w, emptyDir: {}}]",
        container="volumeMounts: [{name: v, mountPath: /v}, {name: w, mountPath: /w}]",
    )
    pod = only(text)
    volume = pod.spec.volumes[0]
    assert volume.host_path is not None
    assert (volume.host_path.path, volume.host_path.type) == ("/claims/default/data", "Directory")
    assert [mount.read_only for mount in pod.spec.containers[0].volume_mounts] == [True, False]


@pytest.mark.parametrize(
    ("claim", "volume", "path", "made"),
    [
        pytest.param("volumeName: v", "hostPath: {path: /srv/x}", "/srv/x", False, id="the claim names the volume"),
        pytest.param("", "local: {path: /srv/y}, claimRef: {name: data}", "/srv/y", False, id="the other way round"),
        pytest.param("", "hostPath: {path: /srv/z}", "/claims/default/data", True, id="neither"),
    ],
)
def test_a_claim_is_bound_to_the_volume_that_is_meant_for_it(claim: str, volume: str, path: str, made: bool) -> None:
    found = plan(
        pod_text(spec="volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]"),
        f"{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: data}}, spec: {{{claim}}}}}",
        f"{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: v}}, spec: {{{volume}}}}}",
    )
    source = found.all_pods()[0].spec.volumes[0].host_path
    assert source is not None
    assert source.path == path
    assert found.folders == ((path,) if made else ())


def test_an_ephemeral_claim_is_an_empty_directory() -> None:
    text = pod_text(
        spec="volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], "
        "resources: {requests: {storage: 1Gi}}}}}}]"
    )
    made = plan(text)
    assert made.all_pods()[0].spec.volumes[0].empty_dir is not None
    assert made.folders == ()
    assert any("ephemeral" in warning for warning in made.warnings)
