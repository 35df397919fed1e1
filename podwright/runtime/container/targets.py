"""The process whose PID namespace a container joins: the pod's first process, or the target container's."""

from __future__ import annotations

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.model.base import NamespaceMode
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState
from podwright.runtime.model.sandbox import Sandbox


async def pid_of(env: ContainerEnvironment, sandbox: Sandbox, config: ContainerConfig) -> int:
    """The PID of the process, or 0 if the container joins none.

    Raises NotFound, InvalidArgument for a target in another sandbox, and FailedPrecondition for a target that does
    not run.
    """
    modes = config.security.namespaces
    if modes.pid is NamespaceMode.POD and sandbox.config.security.namespaces.pid is not NamespaceMode.NODE:
        return await env.sandboxes.share_pid_namespace(sandbox.id)
    if modes.pid is NamespaceMode.TARGET:
        target = _target(env, sandbox, config)
        if not target.pid:
            raise FailedPrecondition(
                f"container {config.name}: the processes of target {target.id[:12]} are not visible on the host",
                hint="its runtime handler does not share the PID namespace of one container",
            )
        return target.pid
    return 0


def check(env: ContainerEnvironment, container: Container) -> None:
    """Check before the start that the target still runs, because its PID may be reused. Raises as `pid_of`."""
    if container.config.security.namespaces.pid is NamespaceMode.TARGET:
        _target(env, env.sandboxes.get(container.sandbox_id), container.config)


def _target(env: ContainerEnvironment, sandbox: Sandbox, config: ContainerConfig) -> Container:
    label = f"container {config.name}"
    target_id = config.security.namespaces.target_id
    if not target_id:
        raise InvalidArgument(f"{label}: pid namespace mode TARGET needs target_id")
    target = env.store.find(target_id)
    if target is None or target.state is ContainerState.CREATING:
        raise NotFound(f"{label}: target {target_id[:64]!r} does not exist")
    if target.sandbox_id != sandbox.id:
        raise InvalidArgument(f"{label}: target {target.id[:12]} is in another sandbox")
    if target.state is not ContainerState.RUNNING:
        raise FailedPrecondition(f"{label}: target {target.id[:12]} is not running ({target.state})")
    return target
