"""The API server's defaults."""

from __future__ import annotations

import pytest

from podwright.k8s.codec import decode, to_document
from podwright.k8s.defaults.apply import with_defaults
from podwright.k8s.defaults.images import default_pull_policy
from podwright.k8s.objects import CronJob, DaemonSet, Deployment, Job, Pod, Secret, Service, StatefulSet
from tests.k8s.build import pod, read
from tests.k8s.samples import POD_JSON


def test_a_pod_of_the_api_server_has_its_defaults() -> None:
    stored = decode(POD_JSON, Pod)
    assert with_defaults(stored) is stored or with_defaults(stored) == stored


def test_an_empty_pod_gets_what_the_api_server_gives() -> None:
    assert to_document(pod())["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "busybox:1",
                "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


def test_zero_is_kept_where_it_says_something() -> None:
    spec = pod("terminationGracePeriodSeconds: 0, enableServiceLinks: false").spec
    assert (spec.termination_grace_period_seconds, spec.enable_service_links) == (0, False)


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("a:1", "IfNotPresent"),
        ("host:5000/a", "Always"),
        ("host:5000/a:1", "IfNotPresent"),
        ("a@sha256:0", "IfNotPresent"),
        ("a:latest@sha256:0", "Always"),
    ],
)
def test_pull_policies(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy


def test_requests_come_from_limits_and_are_rounded_to_thousandths() -> None:
    container = "resources: {limits: {cpu: 1, memory: 1.0001Gi}, requests: {cpu: 0.0001}}"
    resources = pod(container=container).spec.containers[0].resources
    assert resources.requests == {"cpu": "1m", "memory": "1073849198183m"}
    assert resources.limits == {"cpu": "1", "memory": "1073849198183m"}


def test_pod_level_requests_come_from_the_containers_and_then_from_the_limits() -> None:
    resources = pod("resources: {limits: {cpu: 2, memory: 1Gi}}", "resources: {requests: {cpu: 500m}}").spec.resources
    assert resources is not None
    assert resources.requests == {"cpu": "500m", "memory": "1Gi"}


def test_host_network_gives_host_ports() -> None:
    (port,) = pod("hostNetwork: true", "ports: [{containerPort: 80}]").spec.containers[0].ports
    assert (port.host_port, port.protocol) == (80, "TCP")


def test_volumes() -> None:
    text = (
        "volumes: [{name: a}, {name: b, configMap: {name: x}}, {name: c, hostPath: {path: /x}}, "
        "{name: d, image: {reference: x}}, "
        "{name: e, projected: {sources: [{serviceAccountToken: {path: t}}, "
        "{downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}}, "
        "{name: f, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce]}}}}]"
    )
    volumes = [to_document(volume) for volume in pod(text).spec.volumes]
    downward = {"items": [{"path": "name", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}]}
    token = {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}
    claim = volumes.pop()["ephemeral"]["volumeClaimTemplate"]["spec"]
    assert claim["volumeMode"] == "Filesystem"
    assert volumes == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "configMap": {"name": "x", "defaultMode": 0o644}},
        {"name": "c", "hostPath": {"path": "/x", "type": ""}},
        {"name": "d", "image": {"reference": "x", "pullPolicy": "Always"}},
        {"name": "e", "projected": {"defaultMode": 0o644, "sources": [token, {"downwardAPI": downward}]}},
    ]


def test_probes() -> None:
    probe = pod(container="livenessProbe: {httpGet: {port: 80}}, readinessProbe: {grpc: {port: 1}}").spec.containers[0]
    timing = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}
    assert probe.liveness_probe is not None
    assert to_document(probe.liveness_probe) == {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, **timing}
    assert probe.readiness_probe is not None
    assert to_document(probe.readiness_probe) == {"grpc": {"port": 1, "service": ""}, **timing}


def test_string_data_becomes_data() -> None:
    secret = read("{data: {a: QQ==, b: QQ==}, stringData: {b: x}}", Secret)
    assert (secret.data, secret.string_data, secret.type) == ({"a": b"A", "b": b"x"}, {}, "Opaque")


def test_workloads() -> None:
    template = "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c}]}}"
    deployment = read(f"{{spec: {{selector: {{}}, {template}}}}}", Deployment).spec
    assert deployment.replicas == 1
    assert deployment.strategy.rolling_update is not None
    assert deployment.strategy.rolling_update.max_surge == "25%"
    assert deployment.template.spec.restart_policy == "Always"
    assert deployment.template.spec.enable_service_links is None
    daemons = read(f"{{spec: {{selector: {{}}, {template}}}}}", DaemonSet).spec
    assert daemons.update_strategy.rolling_update is not None
    assert daemons.update_strategy.rolling_update.max_unavailable == 1
    stateful = read(f"{{spec: {{selector: {{}}, {template}, replicas: 0}}}}", StatefulSet).spec
    assert (stateful.replicas, stateful.pod_management_policy) == (0, "OrderedReady")
    job = read(f"{{spec: {{{template}}}}}", Job)
    assert (job.spec.completions, job.spec.parallelism, job.spec.backoff_limit) == (1, 1, 6)
    assert job.metadata.labels == {"a": "b"}
    cron = read(f"{{spec: {{schedule: '* * * * *', jobTemplate: {{spec: {{{template}}}}}}}}}", CronJob).spec
    assert (cron.concurrency_policy, cron.successful_jobs_history_limit) == ("Allow", 3)


def test_services() -> None:
    spec = read("{spec: {ports: [{port: 80}], type: LoadBalancer, sessionAffinity: ClientIP}}", Service).spec
    assert (spec.ports[0].target_port, spec.ports[0].protocol) == (80, "TCP")
    assert (spec.internal_traffic_policy, spec.external_traffic_policy) == ("Cluster", "Cluster")
    assert spec.session_affinity_config is not None
    assert spec.session_affinity_config.client_ip is not None
    assert spec.session_affinity_config.client_ip.timeout_seconds == 10800
    assert read("{spec: {type: ExternalName}}", Service).spec.internal_traffic_policy is None


def test_disks_that_need_a_driver() -> None:
    text = (
        "volumes: [{name: a, rbd: {monitors: [m], image: i}}, "
        "{name: b, azureDisk: {diskName: d, diskURI: u}}, {name: c, iscsi: {targetPortal: p, iqn: q, lun: 0}}]"
    )
    rbd, azure, iscsi = (to_document(volume) for volume in pod(text).spec.volumes)
    assert rbd["rbd"].items() >= {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}.items()
    assert azure["azureDisk"].items() >= {"cachingMode": "ReadWrite", "fsType": "ext4", "kind": "Shared"}.items()
    assert azure["azureDisk"]["readOnly"] is False
    assert iscsi["iscsi"]["iscsiInterface"] == "default"
