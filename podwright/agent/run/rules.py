"""Finds faults of one object: those that an API server reports, and fields that a run does not support. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace
from msgspec.structs import replace as replace_problem

from podwright.agent.admission.fit import is_extended
from podwright.agent.run.replicas import with_claims
from podwright.errors import InvalidArgument
from podwright.k8s.defaults.apply import with_defaults
from podwright.k8s.names import label_faults, subdomain_faults
from podwright.k8s.objects import (
    ConfigMap,
    CronJob,
    DaemonSet,
    Deployment,
    Job,
    LabelSelector,
    ObjectMeta,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    PodSpec,
    PodTemplateSpec,
    ReplicaSet,
    Secret,
    Service,
    StatefulSet,
)
from podwright.k8s.objects.base import Kind
from podwright.k8s.problems import Problem, duplicate, invalid, required, unsupported
from podwright.k8s.selectors import from_label_selector
from podwright.k8s.validation.common import named, non_negative, port
from podwright.k8s.validation.config import validate_config_map, validate_secret
from podwright.k8s.validation.metadata import validate_metadata
from podwright.k8s.validation.pods import validate_pod

_UID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{0,62}")
REPLICAS_MAX = 500  # more than any machine runs, so that a typing error does not make thousands of objects


def faults_of(value: Kind) -> Iterator[Problem]:
    """Every fault of an object with defaults."""
    match value:
        case Pod():
            yield from _pod(value)
        case ConfigMap():
            yield from validate_config_map(value)
        case Secret():
            yield from validate_secret(value)
        case Deployment() | ReplicaSet() | StatefulSet() | DaemonSet():
            yield from _workload(value)
        case Job():
            yield from validate_metadata(value.metadata)
            yield from _job(value, "spec")
        case CronJob():
            yield from validate_metadata(value.metadata)
            if not value.spec.schedule:
                yield required("spec.schedule")
            job = with_defaults(Job(metadata=value.metadata, spec=value.spec.job_template.spec))
            yield from _job(job, "spec.jobTemplate.spec")
        case Service():
            yield from _service(value)
        case PersistentVolumeClaim():
            yield from validate_metadata(value.metadata)
            yield from _volume_mode(value.spec.volume_mode)
        case PersistentVolume():
            yield from validate_metadata(value.metadata)
            yield from _volume_mode(value.spec.volume_mode)
            yield from _host_volume(value)


def _pod(pod: Pod) -> Iterator[Problem]:
    yield from validate_pod(pod)
    yield from _local(pod, "")


def _local(pod: Pod, prefix: str) -> Iterator[Problem]:
    """Faults of fields that the API accepts and a run does not support."""
    metadata, spec = pod.metadata, pod.spec
    if metadata.uid and not _UID.fullmatch(metadata.uid):
        # The UID names directories.
        yield invalid(f"{prefix}metadata.uid", metadata.uid, "must be of letters, digits and '-', 63 at most")
    if spec.os is not None and spec.os.name != "linux":
        yield Problem(path=f"{prefix}spec.os.name", message=f"{spec.os.name} is not supported here")
    if spec.resource_claims:
        yield Problem(path=f"{prefix}spec.resourceClaims", message="nothing here allots devices to claims")
    yield from _device_problems(spec, prefix)
    for index, volume in enumerate(spec.volumes):
        if volume.host_path is not None and not volume.host_path.path.startswith("/"):
            path = f"{prefix}spec.volumes[{index}].hostPath.path"
            yield invalid(path, volume.host_path.path, "must be an absolute path")
        if volume.persistent_volume_claim is not None:
            # The name is that of a folder.
            path = f"{prefix}spec.volumes[{index}].persistentVolumeClaim.claimName"
            yield from named(path, volume.persistent_volume_claim.claim_name, subdomain_faults)


def _device_problems(spec: PodSpec, prefix: str) -> Iterator[Problem]:
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            for name in container.resources.limits:
                if is_extended(name):
                    path = f"{prefix}spec.{field}[{index}].resources.limits[{name}]"
                    yield Problem(path=path, message="a run has no devices of plug-ins: `podwright agent` has")


def _workload(value: Deployment | ReplicaSet | StatefulSet | DaemonSet) -> Iterator[Problem]:
    yield from validate_metadata(value.metadata)
    if not isinstance(value, DaemonSet):
        yield from _count("spec.replicas", value.spec.replicas)
    yield from _selector(value.spec.selector, value.spec.template)
    template = value.spec.template
    if isinstance(value, StatefulSet):
        # Mounts may name claim templates.
        template = replace(template, spec=with_claims(value, value.metadata.name))
        yield from _claim_templates(value)
    yield from _template(template, value.metadata, "spec.template")
    policy = value.spec.template.spec.restart_policy
    if policy != "Always":
        yield unsupported("spec.template.spec.restartPolicy", policy, ("Always",))


def _claim_templates(value: StatefulSet) -> Iterator[Problem]:
    for index, claim in enumerate(value.spec.volume_claim_templates):
        path = f"spec.volumeClaimTemplates[{index}]"
        yield from named(f"{path}.metadata.name", claim.metadata.name, label_faults)
        for problem in _volume_mode(claim.spec.volume_mode):
            yield replace_problem(problem, path=f"{path}.{problem.path}")


def _count(path: str, count: int | None) -> Iterator[Problem]:
    if count is None:
        return
    yield from non_negative(path, count)
    if count > REPLICAS_MAX:
        yield invalid(path, count, f"must not be more than {REPLICAS_MAX} on one machine")


def _selector(selector: LabelSelector, template: PodTemplateSpec) -> Iterator[Problem]:
    if not selector.match_labels and not selector.match_expressions:
        yield invalid("spec.selector", "{}", "empty selector is invalid for workloads")
        return
    try:
        matches = from_label_selector(selector).matches(template.metadata.labels)
    except InvalidArgument as failure:
        yield Problem(path="spec.selector", message=failure.message)
        return
    if not matches:
        yield Problem(path="spec.template.metadata.labels", message="`selector` does not match template `labels`")


def _template(template: PodTemplateSpec, owner: ObjectMeta, path: str) -> Iterator[Problem]:
    """The faults of a pod made from the template."""
    metadata = replace(template.metadata, name=owner.name or "a", generate_name="", namespace=owner.namespace)
    pod = Pod(metadata=metadata, spec=template.spec)
    for problem in (*validate_pod(pod), *_local(pod, "")):
        yield replace_problem(problem, path=f"{path}.{problem.path}" if problem.path else path)


def _job(job: Job, path: str) -> Iterator[Problem]:
    spec = job.spec
    yield from _count(f"{path}.parallelism", spec.parallelism)
    yield from non_negative(f"{path}.completions", spec.completions or 0)
    yield from non_negative(f"{path}.backoffLimit", spec.backoff_limit or 0)
    if spec.completion_mode not in ("NonIndexed", "Indexed"):
        yield unsupported(f"{path}.completionMode", spec.completion_mode, ("NonIndexed", "Indexed"))
    if spec.completion_mode == "Indexed" and spec.completions is None:
        yield required(f"{path}.completions", "when completion mode is Indexed")
    yield from _template(spec.template, job.metadata, f"{path}.template")
    policy = spec.template.spec.restart_policy
    if policy not in ("Never", "OnFailure"):
        message = 'Required value: valid values: "OnFailure", "Never"'
        yield Problem(path=f"{path}.template.spec.restartPolicy", message=message)


def _service(service: Service) -> Iterator[Problem]:
    yield from validate_metadata(service.metadata, name_faults=label_faults)
    spec = service.spec
    if not spec.ports and spec.cluster_ip != "None" and spec.type != "ExternalName":
        yield required("spec.ports")
    names: set[str] = set()
    for index, each in enumerate(spec.ports):
        path = f"spec.ports[{index}]"
        yield from port(f"{path}.port", each.port)
        if each.target_port is not None:
            yield from port(f"{path}.targetPort", each.target_port)
        if not each.name and len(spec.ports) > 1:
            yield required(f"{path}.name")
        if each.name in names:
            yield duplicate(f"{path}.name", each.name)
        names.add(each.name)


def _host_volume(volume: PersistentVolume) -> Iterator[Problem]:
    sources = {"hostPath": volume.spec.host_path, "local": volume.spec.local}
    given = {wire: source.path for wire, source in sources.items() if source is not None}
    if len(given) != 1:
        yield Problem(path="spec", message="only volumes of hostPath or local can be had here")
    for wire, path in given.items():
        if not path.startswith("/") or ".." in path.split("/"):
            yield invalid(f"spec.{wire}.path", path, "must be an absolute path without '..'")


def _volume_mode(mode: str | None) -> Iterator[Problem]:
    if mode == "Block":
        yield Problem(path="spec.volumeMode", message="a folder of this machine is not a block device")
