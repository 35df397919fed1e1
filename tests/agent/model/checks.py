"""What must hold once the storm is over: reality is what the last set of pods says, and nothing else is left."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from podwright.agent.decisions.restarts import restarts_after
from podwright.agent.pods.identity import POD_UID, is_sidecar
from podwright.agent.pods.phases import TERMINAL
from podwright.agent.runtime.records import CriContainerState, CriContainerStatus
from podwright.k8s.objects import Container, Pod
from tests.agent.model.life import LONGEST_WAIT_S, Life
from tests.agent.model.world import World

WAIT_NS = int((LONGEST_WAIT_S + 100) * 1e9)  # the longest back-off, and a pass every 60 to 90 s


def problems(world: World) -> list[str]:
    """Everything that is not as it must be."""
    found = list(world.violations)
    for pods in world.wanted.values():
        for pod in pods.values():
            found += [f"pod {pod.metadata.uid}: {problem}" for problem in pod_problems(world, pod)]
    return found + list(leftovers(world))


def pod_problems(world: World, pod: Pod) -> Iterator[str]:
    """What is wrong with a pod that is wanted."""
    uid = pod.metadata.uid
    status = world.life.statuses.get(uid)
    if status is None:
        yield "it has no status"
        return
    ready, running = world.runtime.ready_sandboxes(uid), world.runtime.touch(uid)
    if status.phase in TERMINAL or pod.metadata.deletion_timestamp is not None:
        yield from _terminal_problems(world, pod, status.phase)
        return
    if len(ready) != 1:
        yield f"{status.phase} with {len(ready)} ready sandboxes"
    elif strangers := [each.name for each in running if each.sandbox_id != ready[0]]:
        yield f"{strangers} run in another sandbox"
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        instances = [each for each in world.runtime.all_containers() if _is_of(each, uid, container)]
        yield from container_problems(world, pod, container, instances)
    if uid not in world.cgroups.made:
        yield "it has no cgroup"
    if pod.spec.volumes and not all((world.root / "pods" / uid / "volumes").glob("*")):
        yield "its volumes are not there"


def _is_of(status: CriContainerStatus, uid: str, container: Container) -> bool:
    return status.name == container.name and status.labels[POD_UID] == uid


def container_problems(
    world: World, pod: Pod, container: Container, instances: list[CriContainerStatus]
) -> Iterator[str]:
    """What is wrong with a container of a pod that runs."""
    running = [each for each in instances if each.state is CriContainerState.RUNNING]
    if len(running) > 1:
        yield f"{len(running)} instances of {container.name} run"
    if len(instances) > 2:
        yield f"{len(instances)} instances of {container.name} are kept"
    is_init = container in pod.spec.init_containers and not is_sidecar(container)
    if running or (is_init and not instances):
        return
    if not instances:
        if not _waits_for_init(world, pod):
            yield f"{container.name} was never made"
        return
    newest = max(instances, key=lambda each: each.restart_count)
    may_wait = world.clock.now_ns() - newest.finished_at_ns < WAIT_NS
    wants = is_sidecar(container) or restarts_after(pod, container, newest.exit_code)
    if newest.state is not CriContainerState.EXITED:
        yield f"{container.name} is {newest.state.value}"
    elif wants and not is_init and not may_wait:
        yield f"{container.name} does not start again"
    elif is_init and newest.exit_code and not may_wait:
        yield f"{container.name} is not tried again"


def _waits_for_init(world: World, pod: Pod) -> bool:
    """Whether an init container still has to end, or a sidecar to start again."""
    uid = pod.metadata.uid
    statuses = [each for each in world.runtime.all_containers() if each.labels[POD_UID] == uid]
    done = {each.name for each in statuses if each.state is CriContainerState.RUNNING or each.exit_code == 0}
    return any(each.name not in done for each in pod.spec.init_containers)


def _terminal_problems(world: World, pod: Pod, phase: str) -> Iterator[str]:
    uid = pod.metadata.uid
    if names := [each.name for each in world.runtime.touch(uid)]:
        yield f"{phase}, and {names} run"
    if world.runtime.ready_sandboxes(uid):
        yield f"{phase}, and its sandbox is ready"
    if uid in world.cgroups.made:
        yield f"{phase}, and its cgroup is there"
    if any((world.root / "pods" / uid / "volumes").glob("*/*")):
        yield f"{phase}, and its volumes are there"
    is_ended = pod.spec.active_deadline_seconds is not None or pod.metadata.deletion_timestamp is not None
    if pod.spec.restart_policy == "Always" and not is_ended:
        yield f"{phase}, though its containers restart always"


def leftovers(world: World) -> Iterator[str]:
    """What is left of pods that nobody wants."""
    wanted, life = world.uids(), world.life
    engine = life.engine
    held: dict[str, Iterable[str]] = {
        "containers and sandboxes": world.runtime.pods(),
        "cgroups": world.cgroups.made,
        "directories": _names(world.root / "pods"),
        "logs": [name.split("_")[-1] for name in _names(world.logs)],
        "workers": engine.workers._records,
        "statuses": [entry.uid for entry in life.statuses.all()],
        "probes": life.probes._pods,
        "user ranges": life.users._first_ids,
        "volumes": life.volumes._pods,
        "looks": [pod.uid for pod in engine.cache.all()],
        "due times": engine.queue._due,
        "back-offs": [key.split("/")[0] for key in _restarts(life)],
    }
    for what, uids in held.items():
        if strangers := sorted(set(uids) - wanted):
            yield f"{what} of pods that nobody wants: {strangers}"
    names = {name for pods in world.wanted.values() for name in pods}
    if links := [link for link in _names(world.links) if link.split("_")[0] not in names]:
        yield f"links of logs: {links}"


def _restarts(life: Life) -> Iterable[str]:
    return life.engine._housekeeping._ports.restarts._backoff._entries


def _names(directory: Path) -> list[str]:
    return os.listdir(directory) if directory.exists() else []
