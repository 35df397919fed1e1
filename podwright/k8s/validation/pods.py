"""A pod as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from podwright.k8s.names import label_faults, subdomain_faults
from podwright.k8s.objects.pod import Pod, PodResourceClaim, PodSpec
from podwright.k8s.problems import Problem, duplicate, forbidden, invalid, required
from podwright.k8s.validation.common import ID_MAX, named, one_of
from podwright.k8s.validation.containers import RESTART_POLICIES, validate_containers
from podwright.k8s.validation.dns import validate_dns
from podwright.k8s.validation.metadata import validate_metadata
from podwright.k8s.validation.ports import validate_host_ports
from podwright.k8s.validation.resources import quantity, validate_pod_resources
from podwright.k8s.validation.scheduling import validate_scheduling
from podwright.k8s.validation.security import validate_pod_security
from podwright.k8s.validation.volumes import validate_volumes


def validate_pod(pod: Pod) -> Iterator[Problem]:
    """Every fault for which the API server would refuse to make the pod."""
    yield from validate_metadata(pod.metadata)
    yield from validate_volumes(pod)
    yield from _claims(pod.spec)
    yield from validate_containers(pod)
    yield from validate_host_ports(pod.spec)
    yield from validate_pod_resources(pod.spec)
    yield from validate_pod_security(pod.spec)
    yield from validate_dns(pod.spec)
    yield from validate_scheduling(pod.spec)
    yield from _spec(pod.spec)
    if pod.spec.ephemeral_containers:
        yield forbidden("spec.ephemeralContainers", "cannot be set on create")


def _spec(spec: PodSpec) -> Iterator[Problem]:
    yield from one_of("spec.restartPolicy", spec.restart_policy, RESTART_POLICIES)
    grace = spec.termination_grace_period_seconds
    if grace is None:
        yield required("spec.terminationGracePeriodSeconds")
    elif grace < 0:
        yield invalid("spec.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0")
    deadline = spec.active_deadline_seconds
    if deadline is not None and not 1 <= deadline <= ID_MAX:
        yield invalid("spec.activeDeadlineSeconds", deadline, f"must be between 1 and {ID_MAX}, inclusive")
    for wire, value in (
        ("serviceAccountName", spec.service_account_name),
        ("nodeName", spec.node_name),
        ("priorityClassName", spec.priority_class_name),
        ("runtimeClassName", spec.runtime_class_name or ""),
    ):
        yield from named(f"spec.{wire}", value, subdomain_faults, needed=False)
    if spec.preemption_policy is not None:
        yield from one_of("spec.preemptionPolicy", spec.preemption_policy, ("Never", "PreemptLowerPriority"))
    for name, text in spec.overhead.items():
        yield from quantity(f"spec.overhead[{name}]", text)
    if spec.os is not None:
        yield from one_of("spec.os.name", spec.os.name, ("linux", "windows"))


def _claims(spec: PodSpec) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, claim in enumerate(spec.resource_claims):
        path = f"spec.resourceClaims[{index}]"
        yield from named(f"{path}.name", claim.name, label_faults)
        if claim.name in seen:
            yield duplicate(f"{path}.name", claim.name)
        seen.add(claim.name)
        yield from _claim_source(path, claim)


def _claim_source(path: str, claim: PodResourceClaim) -> Iterator[Problem]:
    given = (claim.resource_claim_name, claim.resource_claim_template_name)
    choices = "`resourceClaimName`, `resourceClaimTemplateName`"
    if given == (None, None):
        yield invalid(path, claim.name, f"must specify one of: {choices}")
    if None not in given:
        message = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
        yield invalid(path, claim.name, message)
    for wire, value in zip(("resourceClaimName", "resourceClaimTemplateName"), given, strict=True):
        if value is not None:
            yield from (invalid(f"{path}.{wire}", value, fault) for fault in subdomain_faults(value))
