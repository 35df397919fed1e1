"""The ContainerConfig of one instance of a container. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.environment import container_environment, expand
from podwright.agent.seed.orchestration.identity import container_annotations, container_labels
from podwright.agent.seed.orchestration.resources import container_resources
from podwright.agent.seed.orchestration.security import ImageUser, container_security
from podwright.cri.v1 import api_pb2 as api


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerInputs:
    """What is only known at the start: the pulled image, the pod's addresses, the prepared mounts."""

    attempt: int
    image_ref: str
    image_user: ImageUser
    pod_ips: tuple[str, ...]
    mounts: tuple[api.Mount, ...]


def log_path(container: str, attempt: int) -> str:
    """Relative to the pod's log directory, as CRI wants it."""
    return f"{container}/{attempt}.log"


def termination_file(context: PodContext, container: Container, attempt: int) -> str:
    """The host's side of terminationMessagePath: one file per instance."""
    return os.path.join(context.directory, "containers", container.name, f"{attempt:08x}")


def container_config(context: PodContext, container: Container, inputs: ContainerInputs) -> api.ContainerConfig:
    """What CreateContainer is told. Raises InvalidArgument when runAsNonRoot cannot be kept or a name is unknown."""
    pod = context.pod
    variables = container_environment(context, container, inputs.pod_ips)
    stop_signal = container.lifecycle.stop_signal
    return api.ContainerConfig(
        metadata=api.ContainerMetadata(name=container.name, attempt=inputs.attempt),
        image=api.ImageSpec(image=inputs.image_ref, user_specified_image=container.image),
        command=[expand(word, variables) for word in container.command],
        args=[expand(word, variables) for word in container.args],
        working_dir=container.working_dir,
        envs=[
            api.KeyValue(key=name, value=value if isinstance(value, bytes) else value.encode())
            for name, value in variables.items()
        ],
        mounts=inputs.mounts,
        labels=container_labels(context, container),
        annotations=container_annotations(context, container, inputs.attempt),
        log_path=log_path(container.name, inputs.attempt),
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
        linux=api.LinuxContainerConfig(
            resources=container_resources(pod, container, context.host.memory_bytes),
            security_context=container_security(pod, container, inputs.image_user),
        ),
        stop_signal=_signal(stop_signal),
    )


def _signal(name: str) -> api.Signal:
    """CRI's value for the API's name: SIGRTMIN+1 is SIGNAL_SIGRTMINPLUS1."""
    if not name:
        return api.SIGNAL_RUNTIME_DEFAULT
    signal: api.Signal = getattr(api, f"SIGNAL_{name.replace('+', 'PLUS').replace('-', 'MINUS')}")
    return signal
