"""The Pod."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from msgspec import field

from podwright.agent.seed.manifest.container import Container, RestartPolicy
from podwright.agent.seed.manifest.node import Node
from podwright.agent.seed.manifest.security import PodSecurityContext
from podwright.agent.seed.manifest.volume import Volume


class PodMetadata(Node, frozen=True, kw_only=True):
    """Names and labels."""

    name: str
    namespace: str = "default"
    uid: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


class HostAlias(Node, frozen=True, kw_only=True):
    """A line of /etc/hosts."""

    ip: str
    hostnames: tuple[str, ...] = ()


class DnsOption(Node, frozen=True, kw_only=True):
    """A resolver option."""

    name: str
    value: str | None = None


class DnsConfig(Node, frozen=True, kw_only=True):
    """Added to what the policy gives."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[DnsOption, ...] = ()


class LocalReference(Node, frozen=True, kw_only=True):
    """The name of an object in the pod's namespace; the API takes an empty one."""

    name: str = ""


class OperatingSystem(Node, frozen=True, kw_only=True):
    """What the pod is made for."""

    name: Literal["linux"]


class PodSpec(Node, frozen=True, kw_only=True):
    """What shall run. Defaults are those of the API server; `defaults` fills in the ones that depend on others."""

    QUIET: ClassVar = {
        "automountServiceAccountToken": (False,),
        "enableServiceLinks": (False,),
        "hostUsers": (True,),
        "setHostnameAsFQDN": (False,),
        "serviceAccountName": ("default",),
        "serviceAccount": ("default",),
        "schedulerName": ("default-scheduler",),
    }
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    restart_policy: RestartPolicy = "Always"
    termination_grace_period_seconds: int = 30
    dns_policy: Literal["", "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"] = ""
    dns_config: DnsConfig = DnsConfig()
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_ipc: bool = field(default=False, name="hostIPC")
    share_process_namespace: bool = False
    security_context: PodSecurityContext = PodSecurityContext()
    image_pull_secrets: tuple[LocalReference, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    host_aliases: tuple[HostAlias, ...] = ()
    runtime_class_name: str = ""
    os: OperatingSystem | None = None


class Pod(Node, frozen=True, kw_only=True):
    """A pod."""

    api_version: Literal["v1"]
    kind: Literal["Pod"]
    metadata: PodMetadata
    spec: PodSpec

    @property
    def full_name(self) -> str:
        """namespace/name, for people."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    def all_containers(self) -> Iterator[tuple[str, Container]]:
        """(field path, container), init containers first."""
        for index, container in enumerate(self.spec.init_containers):
            yield f"spec.initContainers[{index}]", container
        for index, container in enumerate(self.spec.containers):
            yield f"spec.containers[{index}]", container

    def find_container(self, name: str) -> Container | None:
        """By name, init containers included."""
        return next((container for _, container in self.all_containers() if container.name == name), None)

    def is_init(self, name: str) -> bool:
        """Whether the container of that name is an init container (sidecars are, too)."""
        return any(container.name == name for container in self.spec.init_containers)

    def is_sidecar(self, container: Container) -> bool:
        """An init container that keeps running beside the others (restartPolicy Always)."""
        return container.restart_policy == "Always" and self.is_init(container.name)

    def restart_policy_of(self, container: Container) -> RestartPolicy:
        """The container's own policy, or the pod's; a plain init container never restarts after success."""
        policy = container.restart_policy or self.spec.restart_policy
        plain_init = self.is_init(container.name) and not self.is_sidecar(container)
        return "OnFailure" if plain_init and policy == "Always" else policy
