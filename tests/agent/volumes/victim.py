"""A program that is killed at every step of setting volumes up and taking them down: `python -m ... ROOT SCENARIO`.

For each step it forks a child that works on volumes and sends SIGKILL to itself just before its N-th call that
changes something. Another child then starts over as a new agent does, and checks what it finds. Prints the number of
steps when all went well, a problem otherwise.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from podwright.agent.volumes.manager import VolumeManager
from podwright.conformance.patience import patient
from podwright.k8s.objects import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    Pod,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from podwright.linux import libc
from podwright.linux.mount import read_mounts
from tests.agent.volumes.build import MemoryObjects, config_map, pod_with, ports, secret

CHANGING = ("mkdir", "symlink", "rename", "unlink", "rmdir", "chmod", "chown", "fchmod", "fchown", "open")
Scenario = Callable[[VolumeManager, MemoryObjects], Awaitable[None]]


def the_pod() -> Pod:
    """A pod with a volume of each kind that leaves something on this machine."""
    projected = ProjectedVolumeSource(sources=(VolumeProjection(config_map=ConfigMapProjection(name="settings")),))
    return pod_with(
        Volume(name="disk", empty_dir=EmptyDirVolumeSource()),
        Volume(name="memory", empty_dir=EmptyDirVolumeSource(medium="Memory")),
        Volume(name="settings", config_map=ConfigMapVolumeSource(name="settings")),
        Volume(name="keys", secret=SecretVolumeSource(secret_name="keys")),
        Volume(name="all", projected=projected),
        group=4242,
    )


def objects(version: str) -> MemoryObjects:
    """What the pod's volumes are made of. The second version has one key more, and one less."""
    extra = {"new": "x"} if version == "2" else {"old": "x"}
    return MemoryObjects(config_map("settings", extra, version=version), secret("keys", version=version.encode()))


async def set_up(manager: VolumeManager, getter: MemoryObjects) -> None:
    await manager.wait_mounted(the_pod())
    await manager.bind_subpath(the_pod(), "disk", "a/b", container="main", index=0)
    getter.config_maps.update(objects("2").config_maps)
    getter.secrets.update(objects("2").secrets)
    manager.set_pod(the_pod())
    await until_files(Path(manager.mounted("uid-web")["keys"].path), "version", "2")
    await until_files(Path(manager.mounted("uid-web")["all"].path), "version", "2")


async def take_down(manager: VolumeManager, getter: MemoryObjects) -> None:
    await manager.release(the_pod())
    await manager.retain(())


async def until_files(volume: Path, name: str, content: str) -> None:
    async with asyncio.timeout(patient(60)):
        while (volume / name).read_text() != content:  # noqa: ASYNC110 # a file cannot be waited for
            await asyncio.sleep(0.001)


def check_set_up(root: Path, manager: VolumeManager) -> None:
    """All is as the second version says, with nothing beside it."""
    pod = root / "pods/uid-web"
    for name in ("settings", "keys", "all"):
        volume = Path(manager.mounted("uid-web")[name].path)
        assert (volume / "version").read_text() == "2", f"{volume} has an old version"
        keys = {"version"} if name == "keys" else {"version", "new"}
        found = set(os.listdir(volume))
        assert found == {*keys, "..data", os.readlink(volume / "..data")}, f"{volume} has {found}"
        assert (volume / "version").stat().st_gid == 4242, f"{volume} has the wrong group"
    for name in ("disk", "memory"):
        assert (pod / f"volumes/kubernetes.io~empty-dir/{name}").stat().st_gid == 4242, f"{name} has the wrong group"
    points = sorted(point.target.removeprefix(f"{pod}/volumes/kubernetes.io~") for point in mounts(root))
    assert points == ["empty-dir/memory", "projected/all", "secret/keys"], f"mounted: {points}"


def mounts(root: Path, part: str = "pods/uid-web/volumes/") -> list[Any]:
    return [point for point in read_mounts() if point.target.startswith(f"{root}/{part}")]


def die_at(step: int) -> None:
    """Have the N-th change kill this process before it is made."""
    left = step

    def wrap(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **named)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        setattr(module, name, counted)

    for name in CHANGING:
        wrap(os, name)
    wrap(libc, "mount")
    wrap(libc, "umount2")


def forked(work: Callable[[], Awaitable[None]]) -> int:
    """Run it in a child; its wait status."""
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(work())  # type: ignore[arg-type] # the callers pass coroutine functions
        except BaseException:  # noqa: BLE001 # the child ends here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def killed_setting_up(root: Path, step: int) -> tuple[int, int]:
    async def victim() -> None:
        getter = objects("1")
        manager = VolumeManager(ports(getter), str(root))
        await manager.recover()
        die_at(step)
        await set_up(manager, getter)

    async def successor() -> None:
        getter = objects("2")
        manager = VolumeManager(ports(getter), str(root))
        await manager.recover()
        await manager.wait_mounted(the_pod())
        check_set_up(root, manager)
        await take_down(manager, getter)
        assert not (root / "pods/uid-web").exists(), "the pod's directory is left"
        assert not mounts(root, "pods/"), "something is still mounted"

    return forked(victim), forked(successor)


def killed_taking_down(root: Path, step: int) -> tuple[int, int]:
    async def victim() -> None:
        getter = objects("1")
        manager = VolumeManager(ports(getter), str(root))
        await manager.recover()
        await set_up(manager, getter)
        die_at(step)
        await take_down(manager, getter)

    async def successor() -> None:
        manager = VolumeManager(ports(objects("2")), str(root))
        await manager.recover()
        await manager.retain(())
        assert not (root / "pods/uid-web").exists(), "the pod's directory is left"
        assert not mounts(root, "pods/"), "something is still mounted"
        assert not manager.has_volumes("uid-web"), "the pod still counts"

    return forked(victim), forked(successor)


def main(root: Path, scenario: str) -> int:
    trial = {"set-up": killed_setting_up, "take-down": killed_taking_down}[scenario]
    for step in range(1, 1000):
        victim, successor = trial(root, step)
        if successor != 0:
            print(f"step {step}: the successor failed")
            return 1
        if victim == 0:
            print(step - 1)
            return 0
        if not os.WIFSIGNALED(victim):
            print(f"step {step}: the victim failed by itself")
            return 1
    print("no end")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
