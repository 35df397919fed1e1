"""The process whose PID namespace a container joins: the pod's first process, or the target container's."""

from __future__ import annotations

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.model.base import NamespaceMode
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.state import Store


async def pid_of(env: ContainerEnvironment, sandbox: Sandbox, config: ContainerConfig) -> int:
    """The PID of the process, or 0 if the container joins none. Raises as `target_of`."""
    modes = config.security.namespaces
    if modes.pid is NamespaceMode.POD and sandbox.config.security.namespaces.pid is not NamespaceMode.NODE:
        return await env.sandboxes.share_pid_namespace(sandbox.id)
    target = target_of(env.store, sandbox.id, config)
    if target is None:
        return 0
    if not target.pid:
        raise FailedPrecondition(
            f"container {config.name}: the processes of target {target.id[:12]} are not visible on the host",
            hint="its runtime handler does not share the PID namespace of one container",
        )
    return target.pid


def target_of(store: Store[Container], sandbox_id: SandboxId, config: ContainerConfig) -> Container | None:
    """The target container, or None if the config has none. A start asks again, because a PID may be reused.

    Raises NotFound, InvalidArgument for a target in another sandbox, and FailedPrecondition for a target that does
    not run.
    """
    modes = config.security.namespaces
    if modes.pid is not NamespaceMode.TARGET:
        return None
    label = f"container {config.name}"
    if not modes.target_id:
        raise InvalidArgument(f"{label}: pid namespace mode TARGET needs target_id")
    target = store.find(modes.target_id)
    if target is None or target.state is ContainerState.CREATING:
        raise NotFound(f"{label}: target {modes.target_id[:64]!r} does not exist")
    if target.sandbox_id != sandbox_id:
        raise InvalidArgument(f"{label}: target {target.id[:12]} is in another sandbox")
    if target.state is not ContainerState.RUNNING:
        raise FailedPrecondition(f"{label}: target {target.id[:12]} is not running ({target.state})")
    return target
