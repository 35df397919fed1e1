"""Hooks of Python packages: found, in order, bounded, and at every step of a daemon's pods."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from podwright.conformance.pods import running_pod
from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError
from podwright.runtime import hooks
from podwright.runtime.config import HookSettings
from podwright.runtime.hooks import BoundedHook
from podwright.runtime.lifecycle import LifeCycle, LifeCycles
from tests.fixtures import FreshPodwright
from tests.runtime.handlers import packages

NONE: Any = None  # what a hook under test does not look at

AUDIT = """
import json, os
from podwright.runtime.lifecycle import LifeCycle

STEPS = [name for name in vars(LifeCycle) if not name.startswith("_")]


class Audit(LifeCycle):
    def _note(self, *words):
        with open(os.environ["AUDIT"], "a") as file:
            file.write(json.dumps(words) + "\\n")

    async def create_container(self, spec, sandbox, container):
        self._note("create_container", container.config.name)
        if container.config.name == "refused":
            raise ValueError("not today")
        spec["process"]["env"].append("HOOKED=yes")
        return container

    async def networked(self, sandbox, attachment):
        self._note("networked", *attachment.ips)

    async def update_container(self, sandbox, container, change):
        self._note("update_container")
        return change


def _noting(step):
    async def note(self, *arguments):
        self._note(step)
    return note


for _step in STEPS:
    if _step not in vars(Audit):
        setattr(Audit, _step, _noting(_step))
"""


class Slow(LifeCycle):
    async def run_sandbox(self, sandbox: Any) -> None:
        await asyncio.sleep(3600)

    async def start_container(self, sandbox: Any, container: Any) -> None:
        raise LookupError("what?")

    async def create_container(self, spec: Any, sandbox: Any, container: Any) -> Any:
        return None


class Raises(LifeCycle):
    async def container_started(self, sandbox: Any, container: Any) -> None:
        raise FailedPrecondition("too late")


class Counts(LifeCycle):
    def __init__(self) -> None:
        self.started = 0

    async def container_started(self, sandbox: Any, container: Any) -> None:
        self.started += 1


async def test_failures_are_bounded_and_named() -> None:
    hook = BoundedHook("slow", Slow(), 0.01)
    with pytest.raises(DeadlineExceeded, match="hook slow"):
        await hook.run_sandbox(NONE)
    with pytest.raises(FailedPrecondition, match="hook slow fails: LookupError"):
        await hook.start_container(NONE, NONE)
    with pytest.raises(FailedPrecondition, match="returns NoneType, not Container"):
        await hook.create_container({}, NONE, NONE)


async def test_what_has_happened_reaches_everybody() -> None:
    counts = Counts()
    await LifeCycles(BoundedHook("raises", Raises(), 5.0), counts).container_started(NONE, NONE)
    assert counts.started == 1


async def test_alone_and_held_exclude_each_other() -> None:
    life, order = LifeCycles(LifeCycle()), []

    async def alone() -> None:
        async with life.alone():
            order.append("alone")
            await asyncio.sleep(0.01)
            order.append("alone ends")

    async def late() -> None:
        async with life.held():
            order.append("held")

    async with life.held():
        waiting = asyncio.create_task(alone(), name="alone")
        await asyncio.sleep(0)
        async with life.held():  # a request within a request
            order.append("inside")
    await asyncio.sleep(0.001)
    await asyncio.gather(waiting, late())
    assert order == ["inside", "alone", "alone ends", "held"]


def test_a_hook_that_there_is_not() -> None:
    with pytest.raises(FailedPrecondition, match=r"'gone' of \[hooks\] is not installed"):
        hooks.load(HookSettings(enabled=("gone",)))


@pytest.mark.root
async def test_every_step_of_a_daemon(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "audit_hooks.py"
    module.write_text(AUDIT)
    packages.install(module, tmp_path / "site", group="podwright.hooks", kind="audit", factory="Audit")
    noted, folder = tmp_path / "noted", tmp_path / "hooks.d"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("AUDIT", str(noted))
    folder.mkdir()
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cat >/dev/null; echo hooked >{tmp_path}/oci"]}
    document = {"version": "1.0.0", "hook": hook, "when": {"annotations": {"^hook$": "yes"}}, "stages": ["prestart"]}
    (folder / "one.json").write_text(json.dumps(document))
    server = fresh_podwright({"hooks": {"enabled": ["audit"]}, "containers": {"hooks_dirs": [str(folder)]}})
    async with server.client() as client, running_pod(server.peer(client), busybox_image) as pod:
        assert await pod.output("sh", "-c", "echo $HOOKED") == "yes\n"
        assert not (tmp_path / "oci").exists()
        await pod.run_ready(annotations={"hook": "yes"})
        assert (tmp_path / "oci").read_text() == "hooked\n"
        with pytest.raises(PodwrightError, match="hook audit fails: ValueError: not today"):
            await pod.create(name="refused")
    steps = [json.loads(line)[0] for line in noted.read_text().splitlines()]
    for step in ("pull_image", "image_pulled", "networked", "run_sandbox", "create_container", "container_created"):
        assert step in steps
    assert steps.count("stop_container") == steps.count("remove_container") == 2
    ended = [step for step in steps if step in ("stop_container", "stop_sandbox", "remove_sandbox")]
    assert ended == ["stop_container", "stop_container", "stop_sandbox", "remove_sandbox"]
