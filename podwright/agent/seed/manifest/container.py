"""Containers of a pod."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import field

from podwright.agent.seed.manifest.node import Node, names
from podwright.agent.seed.manifest.security import SecurityContext
from podwright.agent.seed.manifest.volume import ObjectFieldSelector, ResourceFieldSelector, VolumeMount

RestartPolicy = Literal["Always", "OnFailure", "Never"]
Quantities = dict[str, str | int | float]


class KeySelector(Node, frozen=True, kw_only=True):
    """One key of a ConfigMap or Secret."""

    name: str
    key: str
    optional: bool = False


class EnvVarSource(Node, frozen=True, kw_only=True):
    """Where a variable's value comes from: exactly one of these."""

    REFUSED: ClassVar = names("fileKeyRef")
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None


class EnvVar(Node, frozen=True, kw_only=True):
    """An environment variable."""

    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class ObjectReference(Node, frozen=True, kw_only=True):
    """A whole ConfigMap or Secret."""

    name: str
    optional: bool = False


class EnvFrom(Node, frozen=True, kw_only=True):
    """All keys of an object as variables."""

    prefix: str = ""
    config_map_ref: ObjectReference | None = None
    secret_ref: ObjectReference | None = None


class ContainerPort(Node, frozen=True, kw_only=True):
    """A port that a container listens on."""

    name: str = ""
    container_port: int
    host_port: int | None = None
    host_ip: str = field(default="", name="hostIP")
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"


class Resources(Node, frozen=True, kw_only=True):
    """Requests and limits: resource name to quantity."""

    limits: Quantities = field(default_factory=dict)
    requests: Quantities = field(default_factory=dict)


class ExecAction(Node, frozen=True, kw_only=True):
    """A command inside the container; no shell."""

    command: tuple[str, ...]


class SleepAction(Node, frozen=True, kw_only=True):
    """A pause."""

    seconds: int


class LifecycleHandler(Node, frozen=True, kw_only=True):
    """What a hook does."""

    exec: ExecAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Node, frozen=True, kw_only=True):
    """Hooks after the start and before the stop."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str = ""


class Container(Node, frozen=True, kw_only=True):
    """One container; init containers are of the same type."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    resources: Resources = Resources()
    restart_policy: RestartPolicy | None = None
    volume_mounts: tuple[VolumeMount, ...] = ()
    lifecycle: Lifecycle = Lifecycle()
    termination_message_path: str = "/dev/termination-log"
    termination_message_policy: Literal["File", "FallbackToLogsOnError"] = "File"
    image_pull_policy: Literal["Always", "IfNotPresent", "Never", ""] = ""
    security_context: SecurityContext = SecurityContext()
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
