"""The ContainerConfig of one instance of a container. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.agent.configs.devices import NOTHING, Allocation, cdi_devices, container_devices
from podwright.agent.configs.expansion import expand
from podwright.agent.configs.labels import container_annotations, container_labels
from podwright.agent.configs.logs import log_path
from podwright.agent.configs.node import NodeFacts, NodeSettings
from podwright.agent.configs.resources import container_resources
from podwright.agent.configs.security import SecurityInputs, container_security
from podwright.agent.pods.containers import AnyContainer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.k8s.objects import Pod


class ContainerConfigInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs that are known only at the start of an instance.

    `image_reference` is the runtime's reference of the image.
    """

    attempt: int
    image_reference: str
    environment: Mapping[str, str]
    mounts: tuple[api.Mount, ...]
    security: SecurityInputs
    allocation: Allocation = NOTHING


def container_config(pod: Pod, container: AnyContainer, inputs: ContainerConfigInputs) -> api.ContainerConfig:
    """The config for CreateContainer. Raises InvalidArgument and NotFound."""
    allocation, security = inputs.allocation, inputs.security
    resources = with_allotted(pod, container, security.facts, security.settings, allocation)
    return api.ContainerConfig(
        metadata=api.ContainerMetadata(name=container.name, attempt=inputs.attempt),
        image=api.ImageSpec(image=inputs.image_reference, user_specified_image=container.image),
        command=_expanded("command", container.command, inputs.environment),
        args=_expanded("args", container.args, inputs.environment),
        working_dir=container.working_dir,
        envs=[
            api.KeyValue(key=name, value=value.encode(errors="surrogateescape"))
            for name, value in inputs.environment.items()
        ],
        mounts=inputs.mounts,
        devices=container_devices(container, allocation),
        CDI_devices=cdi_devices(allocation),
        labels=container_labels(pod, container),
        annotations=container_annotations(pod, container, inputs.attempt, allocation.annotations),
        log_path=log_path(container.name, inputs.attempt),
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
        linux=api.LinuxContainerConfig(
            resources=resources, security_context=container_security(pod, container, security)
        ),
        stop_signal=_stop_signal(container),
    )


def with_allotted(
    pod: Pod, container: AnyContainer, facts: NodeFacts, settings: NodeSettings, allocation: Allocation
) -> api.LinuxContainerResources:
    """The container's resources with its allotted CPUs and memory nodes."""
    resources = container_resources(pod, container, facts, settings, has_own_cpus=allocation.has_own_cpus)
    resources.cpuset_cpus, resources.cpuset_mems = allocation.cpus, allocation.memory_nodes
    return resources


def _expanded(what: str, texts: tuple[str, ...], environment: Mapping[str, str]) -> list[str]:
    """The texts with expanded variables. Commands are sent as text, so the variables in them must be UTF-8."""
    expanded = [expand(text, environment) for text in texts]
    for text in expanded:
        try:
            text.encode()
        except UnicodeEncodeError as failure:
            raise InvalidArgument(
                f"{what}: a variable in it holds bytes that are not UTF-8", hint="read the variable in the container"
            ) from failure
    return expanded


def _stop_signal(container: AnyContainer) -> api.Signal:
    name = container.lifecycle.stop_signal if container.lifecycle else None
    if not name:
        return api.Signal.SIGNAL_RUNTIME_DEFAULT
    signal: api.Signal | None = getattr(api, f"SIGNAL_{name}", None)
    if signal is None:
        raise InvalidArgument(f"lifecycle.stopSignal {name!r} is not a signal", hint="such as SIGTERM")
    return signal
