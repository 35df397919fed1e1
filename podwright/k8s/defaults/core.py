"""Defaults of pods, their containers and Secrets. One function a type, named for what it is about."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec.structs import replace

from podwright.errors import InvalidArgument
from podwright.k8s.defaults.images import default_pull_policy
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.objects.config import Secret
from podwright.k8s.objects.container import Container, ContainerPort, EphemeralContainer, ResourceRequirements
from podwright.k8s.objects.environment import FileKeySelector
from podwright.k8s.objects.handlers import GRPCAction, HTTPGetAction, Probe
from podwright.k8s.objects.pod import Pod, PodSpec
from podwright.k8s.objects.references import ObjectFieldSelector
from podwright.k8s.objects.security import PodSecurityContext
from podwright.k8s.pod_resources import (
    aggregate_limits,
    aggregate_requests,
    is_huge_pages,
    is_overcommit_allowed,
    is_pod_level,
)

AnyContainer = TypeVar("AnyContainer", Container, EphemeralContainer)


def _pod(pod: Pod) -> Pod:
    spec = replace(
        pod.spec,
        containers=tuple(_with_requests(container) for container in pod.spec.containers),
        init_containers=tuple(_with_requests(container) for container in pod.spec.init_containers),
        enable_service_links=True if pod.spec.enable_service_links is None else pod.spec.enable_service_links,
    )
    with contextlib.suppress(InvalidArgument):  # an invalid quantity, which validation reports
        spec = _with_pod_level_resources(spec)
    if spec.host_network:
        spec = replace(
            spec,
            containers=tuple(_with_host_ports(container) for container in spec.containers),
            init_containers=tuple(_with_host_ports(container) for container in spec.init_containers),
        )
    return replace(pod, spec=spec)


def _with_requests(container: Container) -> Container:
    resources = container.resources
    if not resources.limits:
        return container
    requests = {**resources.limits, **resources.requests}
    return replace(container, resources=replace(resources, requests=requests))


def _with_pod_level_resources(spec: PodSpec) -> PodSpec:
    resources = spec.resources
    if resources is None or not (resources.limits or resources.requests):
        return spec
    limits = {
        name: str(amount)
        for name, amount in aggregate_limits(spec).items()
        if is_huge_pages(name) and name not in resources.requests
    }
    resources = replace(resources, limits={**limits, **resources.limits})
    return replace(spec, resources=_with_pod_level_requests(spec, resources) if resources.limits else resources)


def _with_pod_level_requests(spec: PodSpec, resources: ResourceRequirements) -> ResourceRequirements:
    of_containers = {
        name: str(amount)
        for name, amount in aggregate_requests(spec).items()
        if is_pod_level(name) and is_overcommit_allowed(name)
    }
    of_limits = {name: text for name, text in resources.limits.items() if is_pod_level(name)}
    return replace(resources, requests={**of_limits, **of_containers, **resources.requests})


def _with_host_ports(container: Container) -> Container:
    ports = (replace(port, host_port=port.host_port or port.container_port) for port in container.ports)
    return replace(container, ports=tuple(ports))


def _pod_spec(spec: PodSpec) -> PodSpec:
    grace = spec.termination_grace_period_seconds
    return replace(
        spec,
        dns_policy=spec.dns_policy or "ClusterFirst",
        restart_policy=spec.restart_policy or "Always",
        security_context=spec.security_context or PodSecurityContext(),
        termination_grace_period_seconds=30 if grace is None else grace,
        scheduler_name=spec.scheduler_name or "default-scheduler",
    )


def _container(container: AnyContainer) -> AnyContainer:
    return replace(
        container,
        image_pull_policy=container.image_pull_policy or default_pull_policy(container.image),
        termination_message_path=container.termination_message_path or "/dev/termination-log",
        termination_message_policy=container.termination_message_policy or "File",
    )


def _port(port: ContainerPort) -> ContainerPort:
    return port if port.protocol else replace(port, protocol="TCP")


def _probe(probe: Probe) -> Probe:
    return replace(
        probe,
        timeout_seconds=probe.timeout_seconds or 1,
        period_seconds=probe.period_seconds or 10,
        success_threshold=probe.success_threshold or 1,
        failure_threshold=probe.failure_threshold or 3,
    )


def _http_get(action: HTTPGetAction) -> HTTPGetAction:
    return replace(action, path=action.path or "/", scheme=action.scheme or "HTTP")


def _grpc(action: GRPCAction) -> GRPCAction:
    return action if action.service is not None else replace(action, service="")


def _field_selector(selector: ObjectFieldSelector) -> ObjectFieldSelector:
    return selector if selector.api_version else replace(selector, api_version="v1")


def _file_key(selector: FileKeySelector) -> FileKeySelector:
    return selector if selector.optional is not None else replace(selector, optional=False)


def _secret(secret: Secret) -> Secret:
    """stringData is for writing only: the API keeps it as data."""
    data = {**secret.data, **{key: value.encode() for key, value in secret.string_data.items()}}
    return replace(secret, type=secret.type or "Opaque", data=data, string_data={})


RULES: dict[type[ApiObject], Callable[[Any], Any]] = {
    Pod: _pod,
    PodSpec: _pod_spec,
    Container: _container,
    EphemeralContainer: _container,
    ContainerPort: _port,
    Probe: _probe,
    HTTPGetAction: _http_get,
    GRPCAction: _grpc,
    ObjectFieldSelector: _field_selector,
    FileKeySelector: _file_key,
    Secret: _secret,
}
