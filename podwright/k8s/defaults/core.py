"""Defaults of pods, what they hold, and the objects beside them. One function a type, named for what it is about."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec.structs import replace

from podwright.errors import InvalidArgument
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.objects.config import Secret
from podwright.k8s.objects.container import Container, ContainerPort, EphemeralContainer, ResourceRequirements
from podwright.k8s.objects.disks import HostPathVolumeSource, ISCSIVolumeSource
from podwright.k8s.objects.environment import FileKeySelector
from podwright.k8s.objects.handlers import GRPCAction, HTTPGetAction, Probe
from podwright.k8s.objects.persistent_volume import PersistentVolume, PersistentVolumeSpec
from podwright.k8s.objects.persistent_volume_claim import PersistentVolumeClaim, PersistentVolumeClaimSpec
from podwright.k8s.objects.pod import Pod, PodSpec
from podwright.k8s.objects.references import ObjectFieldSelector
from podwright.k8s.objects.security import PodSecurityContext
from podwright.k8s.objects.service import ClientIPConfig, Service, ServicePort, ServiceSpec, SessionAffinityConfig
from podwright.k8s.objects.volume import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    ImageVolumeSource,
    ProjectedVolumeSource,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
)
from podwright.k8s.pod_resources import (
    aggregate_limits,
    aggregate_requests,
    is_huge_pages,
    is_overcommit_allowed,
    is_pod_level,
)

FILE_MODE = 0o644
TOKEN_SECONDS = 3600
CLIENT_IP_SECONDS = 10800

AnyContainer = TypeVar("AnyContainer", Container, EphemeralContainer)
FileSource = TypeVar(
    "FileSource", ConfigMapVolumeSource, SecretVolumeSource, DownwardAPIVolumeSource, ProjectedVolumeSource
)


def default_pull_policy(image: str) -> str:
    """Always for the tag `latest` and for neither tag nor digest, else IfNotPresent."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or not (tag or digest) else "IfNotPresent"


def _pod(pod: Pod) -> Pod:
    spec = replace(
        pod.spec,
        containers=tuple(_with_requests(container) for container in pod.spec.containers),
        init_containers=tuple(_with_requests(container) for container in pod.spec.init_containers),
        enable_service_links=True if pod.spec.enable_service_links is None else pod.spec.enable_service_links,
    )
    with contextlib.suppress(InvalidArgument):  # a quantity that is none: validation names it
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


def _volume(volume: Volume) -> Volume:
    if sources_of(volume):
        return volume
    return replace(volume, empty_dir=EmptyDirVolumeSource())


def sources_of(volume: Volume) -> dict[str, Any]:
    """The sources that a volume has, by attribute; a right one has exactly one."""
    given = ((name, getattr(volume, name)) for name in volume.__struct_fields__ if name != "name")
    return {name: source for name, source in given if source is not None}


def _image_volume(source: ImageVolumeSource) -> ImageVolumeSource:
    return replace(source, pull_policy=source.pull_policy or default_pull_policy(source.reference))


def _files(source: FileSource) -> FileSource:
    return source if source.default_mode is not None else replace(source, default_mode=FILE_MODE)


def _token(projection: ServiceAccountTokenProjection) -> ServiceAccountTokenProjection:
    return projection if projection.expiration_seconds is not None else replace(projection, expiration_seconds=3600)


def _host_path(source: HostPathVolumeSource) -> HostPathVolumeSource:
    return source if source.type is not None else replace(source, type="")


def _iscsi(source: ISCSIVolumeSource) -> ISCSIVolumeSource:
    return source if source.iscsi_interface else replace(source, iscsi_interface="default")


def _secret(secret: Secret) -> Secret:
    """stringData is for writing only: the API keeps it as data."""
    data = {**secret.data, **{key: value.encode() for key, value in secret.string_data.items()}}
    return replace(secret, type=secret.type or "Opaque", data=data, string_data={})


def _claim(claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
    return claim if claim.status.phase else replace(claim, status=replace(claim.status, phase="Pending"))


def _claim_spec(spec: PersistentVolumeClaimSpec) -> PersistentVolumeClaimSpec:
    return spec if spec.volume_mode is not None else replace(spec, volume_mode="Filesystem")


def _persistent_volume(volume: PersistentVolume) -> PersistentVolume:
    return volume if volume.status.phase else replace(volume, status=replace(volume.status, phase="Pending"))


def _persistent_volume_spec(spec: PersistentVolumeSpec) -> PersistentVolumeSpec:
    return replace(
        spec,
        persistent_volume_reclaim_policy=spec.persistent_volume_reclaim_policy or "Retain",
        volume_mode=spec.volume_mode or "Filesystem",
    )


def _service(service: Service) -> Service:
    spec = service.spec
    kind = spec.type or "ClusterIP"
    external = kind in ("NodePort", "LoadBalancer") or bool(spec.external_ips and kind == "ClusterIP")
    return replace(
        service,
        spec=replace(
            _with_affinity(spec),
            type=kind,
            external_traffic_policy=spec.external_traffic_policy or ("Cluster" if external else ""),
            internal_traffic_policy=spec.internal_traffic_policy or (None if kind == "ExternalName" else "Cluster"),
            allocate_load_balancer_node_ports=(
                True
                if kind == "LoadBalancer" and spec.allocate_load_balancer_node_ports is None
                else spec.allocate_load_balancer_node_ports
            ),
        ),
    )


def _with_affinity(spec: ServiceSpec) -> ServiceSpec:
    affinity = spec.session_affinity or "None"
    config = spec.session_affinity_config if affinity != "None" else None
    timeout = config and config.client_ip and config.client_ip.timeout_seconds
    if affinity == "ClientIP" and timeout is None:
        config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=CLIENT_IP_SECONDS))
    return replace(spec, session_affinity=affinity, session_affinity_config=config)


def _service_port(port: ServicePort) -> ServicePort:
    return replace(port, protocol=port.protocol or "TCP", target_port=port.target_port or port.port)


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
    Volume: _volume,
    ImageVolumeSource: _image_volume,
    ConfigMapVolumeSource: _files,
    SecretVolumeSource: _files,
    DownwardAPIVolumeSource: _files,
    ProjectedVolumeSource: _files,
    ServiceAccountTokenProjection: _token,
    HostPathVolumeSource: _host_path,
    ISCSIVolumeSource: _iscsi,
    Secret: _secret,
    PersistentVolumeClaim: _claim,
    PersistentVolumeClaimSpec: _claim_spec,
    PersistentVolume: _persistent_volume,
    PersistentVolumeSpec: _persistent_volume_spec,
    Service: _service,
    ServicePort: _service_port,
}
