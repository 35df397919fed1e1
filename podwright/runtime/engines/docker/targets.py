"""The container whose PID namespace another one joins."""

from __future__ import annotations

from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.runtime.engines.docker.container_environment import EngineEnvironment
from podwright.runtime.engines.docker.host import EngineRecord
from podwright.runtime.model.base import NamespaceMode
from podwright.runtime.model.container import ContainerConfig, ContainerState
from podwright.runtime.model.sandbox import Sandbox


def engine_id(env: EngineEnvironment, sandbox: Sandbox, config: ContainerConfig) -> str:
    """The Engine's id of the container whose PID namespace is joined, or "".

    Raises InvalidArgument, NotFound and FailedPrecondition.
    """
    modes = config.security.namespaces
    if modes.pid is not NamespaceMode.TARGET:
        return ""
    label = f"container {config.name}"
    if not modes.target_id:
        raise InvalidArgument(f"{label}: pid namespace mode TARGET needs target_id")
    target = env.store.find(modes.target_id)
    if target is None or target.state is ContainerState.CREATING:
        raise NotFound(f"{label}: target {modes.target_id[:64]!r} does not exist")
    if target.sandbox_id != sandbox.id:
        raise InvalidArgument(f"{label}: target {target.id[:12]} is in another sandbox")
    if target.state is not ContainerState.RUNNING:
        raise FailedPrecondition(f"{label}: target {target.id[:12]} is not running ({target.state})")
    return EngineRecord.of(target.task).id
