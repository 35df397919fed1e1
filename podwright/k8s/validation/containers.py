"""Containers of every sort: what all share, and what only some may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from podwright.k8s.names import label_faults
from podwright.k8s.objects.container import Container, EphemeralContainer
from podwright.k8s.objects.pod import Pod, PodSpec
from podwright.k8s.objects.volume import Volume
from podwright.k8s.problems import (
    Problem,
    duplicate,
    forbidden,
    invalid,
    not_found,
    required,
    too_many,
    unsupported,
)
from podwright.k8s.validation.common import PULL_POLICIES, named, one_of
from podwright.k8s.validation.environment import validate_environment
from podwright.k8s.validation.handlers import refuse_hooks_and_probes, validate_hooks_and_probes
from podwright.k8s.validation.mounts import validate_devices, validate_mounts
from podwright.k8s.validation.ports import validate_ports
from podwright.k8s.validation.resources import validate_resources
from podwright.k8s.validation.security import validate_container_security

AnyContainer = Container | EphemeralContainer
RESTART_POLICIES = ("Always", "Never", "OnFailure")
RULES_LIMIT, EXIT_CODES_LIMIT = 20, 255
_NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"


class _Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What containers refer to."""

    spec: PodSpec
    volumes: Mapping[str, Volume]
    claims: frozenset[str]


def validate_containers(pod: Pod) -> Iterator[Problem]:
    """All containers of the pod."""
    spec = pod.spec
    around = _Surroundings(
        spec=spec,
        volumes={volume.name: volume for volume in spec.volumes},
        claims=frozenset(claim.name for claim in spec.resource_claims),
    )
    if not spec.containers:
        yield required("spec.containers")
    names: set[str] = set()
    for index, container in enumerate(spec.containers):
        path = f"spec.containers[{index}]"
        yield from _unique(path, container, names)
        yield from _common(path, container, around)
        yield from validate_hooks_and_probes(path, container, spec)
        yield from _restart_policy(path, container)
    for index, container in enumerate(spec.init_containers):
        path = f"spec.initContainers[{index}]"
        yield from _unique(path, container, names)
        yield from _common(path, container, around)
        yield from _init(path, container, spec)
    others = frozenset(names)
    for index, ephemeral in enumerate(spec.ephemeral_containers):
        path = f"spec.ephemeralContainers[{index}]"
        yield from _unique(path, ephemeral, names)
        yield from _common(path, ephemeral, around)
        yield from _ephemeral(path, ephemeral, others)


def _unique(path: str, container: AnyContainer, names: set[str]) -> Iterator[Problem]:
    if container.name and container.name in names:
        yield duplicate(f"{path}.name", container.name)
    names.add(container.name)


def _common(path: str, container: AnyContainer, around: _Surroundings) -> Iterator[Problem]:
    yield from named(f"{path}.name", container.name, label_faults)
    if not container.image:
        yield required(f"{path}.image")
    elif container.image != container.image.strip():
        yield invalid(f"{path}.image", container.image, "must not have leading or trailing whitespace")
    policies = ("FallbackToLogsOnError", "File")
    yield from one_of(f"{path}.terminationMessagePolicy", container.termination_message_policy, policies)
    yield from one_of(f"{path}.imagePullPolicy", container.image_pull_policy, PULL_POLICIES)
    yield from validate_ports(path, container.ports)
    yield from validate_environment(path, container)
    yield from _file_volumes(path, container, around)
    yield from validate_mounts(path, container, around.volumes)
    yield from validate_devices(path, container, around.volumes)
    yield from validate_resources(f"{path}.resources", container.resources, claims=around.claims)
    yield from _resize_policy(path, container, around.spec)
    yield from validate_container_security(path, container, around.spec)


def _file_volumes(path: str, container: AnyContainer, around: _Surroundings) -> Iterator[Problem]:
    """Variables from files need an emptyDir, which containers before this one have written to."""
    for index, variable in enumerate(container.env):
        key = variable.value_from.file_key_ref if variable.value_from else None
        if key is None:
            continue
        here, volume = f"{path}.env[{index}].valueFrom.fileKeyRef.volumeName", around.volumes.get(key.volume_name)
        if volume is None:
            yield not_found(here, key.volume_name)
        elif volume.empty_dir is None:
            yield invalid(here, key.volume_name, "referenced volume must be of type emptyDir")


def _init(path: str, container: Container, spec: PodSpec) -> Iterator[Problem]:
    yield from _restart_policy(path, container)
    if container.restart_policy == "Always":
        yield from validate_hooks_and_probes(path, container, spec)
        return
    yield from refuse_hooks_and_probes(path, container)
    for index, policy in enumerate(container.resize_policy):
        if policy.restart_policy == "RestartContainer":
            here = f"{path}.resizePolicy[{index}].restartPolicy"
            message = "must not be set to 'RestartContainer' for non-sidecar initContainers"
            yield invalid(here, policy.restart_policy, message)


def _restart_policy(path: str, container: Container) -> Iterator[Problem]:
    rules = container.restart_policy_rules
    if container.restart_policy is None:
        if rules:
            yield required(f"{path}.restartPolicy", "must specify restartPolicy when restart rules are used")
    elif container.restart_policy not in RESTART_POLICIES:
        yield unsupported(f"{path}.restartPolicy", container.restart_policy, RESTART_POLICIES)
    if len(rules) > RULES_LIMIT:
        yield too_many(f"{path}.restartPolicyRules", len(rules), RULES_LIMIT)
    for index, rule in enumerate(rules):
        here = f"{path}.restartPolicyRules[{index}]"
        yield from one_of(f"{here}.action", rule.action, ("Restart", "RestartAllContainers"))
        if rule.exit_codes is None:
            yield required(f"{here}.exitCodes", "must be specified")
            continue
        yield from one_of(f"{here}.exitCodes.operator", rule.exit_codes.operator, ("In", "NotIn"))
        if len(rule.exit_codes.values) > EXIT_CODES_LIMIT:
            yield too_many(f"{here}.exitCodes.values", len(rule.exit_codes.values), EXIT_CODES_LIMIT)


def _resize_policy(path: str, container: AnyContainer, spec: PodSpec) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, policy in enumerate(container.resize_policy):
        here = f"{path}.resizePolicy[{index}]"
        if policy.resource_name in seen:
            yield duplicate(here, policy.resource_name)
        seen.add(policy.resource_name)
        yield from one_of(f"{here}.resourceName", policy.resource_name, ("cpu", "memory"))
        yield from one_of(f"{here}.restartPolicy", policy.restart_policy, ("NotRequired", "RestartContainer"))
        if spec.restart_policy == "Never" and policy.restart_policy == "RestartContainer":
            message = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            yield invalid(f"{here}.restartPolicy", policy.restart_policy, message)


def _ephemeral(path: str, container: EphemeralContainer, others: frozenset[str]) -> Iterator[Problem]:
    if container.target_container_name and container.target_container_name not in others:
        yield not_found(f"{path}.targetContainerName", container.target_container_name)
    for wire, value in (
        ("ports", container.ports),
        ("resources", container.resources.limits or container.resources.requests or container.resources.claims),
        ("lifecycle", container.lifecycle),
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
        ("resizePolicy", container.resize_policy),
        ("restartPolicy", container.restart_policy),
        ("restartPolicyRules", container.restart_policy_rules),
    ):
        if value:
            yield forbidden(f"{path}.{wire}", _NOT_EPHEMERAL)
    for index, mount in enumerate(container.volume_mounts):
        for wire, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
            if value:
                yield forbidden(f"{path}.volumeMounts[{index}].{wire}", _NOT_EPHEMERAL)
