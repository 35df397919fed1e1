"""OCI runtimes and monitors that hang, fail, talk nonsense or are missing: one clear error, and the pod goes away."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.pods import DEAF, SLEEP
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, Unknown
from tests.faults.conftest import HASTY_S
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node, eventually, running_node
from tests.fixtures import FreshPodwright
from tools.background import StartError

pytestmark = [pytest.mark.root]

SHIM = "containerd-shim-runc-v2"
SHARED_PID = api.NamespaceOption(pid=api.POD)


@pytest.mark.parametrize("verb", ["create", "start"])
async def test_a_runtime_that_hangs(hasty_node: Node, faulty: FaultyRuntime, verb: str) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.commit(f"hang {verb}")
    with pytest.raises(DeadlineExceeded):
        await pod.start(container)
    status = await pod.status(container)
    assert (status.state, status.exit_code, status.reason) == (api.CONTAINER_EXITED, 128, "StartError")
    await hasty_node.audited()
    await hasty_node.emptied()


async def test_what_is_being_started_is_not_removed(hasty_node: Node, faulty: FaultyRuntime) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.commit("hang start")
    starting = asyncio.ensure_future(pod.start(container))
    request = api.ContainerStatusRequest(container_id=container, verbose=True)

    async def is_under_way() -> bool:
        info = (await pod.cri.call(pod.cri.runtime.ContainerStatus, request)).info
        return bool(json.loads(info["info"])["task"])

    await eventually(is_under_way, "it is being started")
    with pytest.raises(FailedPrecondition, match="is being started"):
        await pod.cri.call(pod.cri.runtime.RemoveContainer, api.RemoveContainerRequest(container_id=container))
    with pytest.raises(DeadlineExceeded):
        await starting
    await hasty_node.emptied()


@pytest.mark.parametrize("fault", ["hang delete", "fail delete", "garbage delete"])
async def test_a_runtime_that_does_not_delete(hasty_node: Node, faulty: FaultyRuntime, fault: str) -> None:
    pod = await hasty_node.pod(handler=HANDLER, namespaces=SHARED_PID)
    await pod.run()
    faulty.commit(fault)
    await hasty_node.emptied()


@pytest.mark.parametrize("fault", ["hang run", "fail run", "garbage run"])
async def test_a_runtime_that_cannot_run_the_infra_container(
    hasty_node: Node, faulty: FaultyRuntime, fault: str
) -> None:
    await hasty_node.pull()
    faulty.commit(fault)
    config = hasty_node.config(namespaces=SHARED_PID)
    with pytest.raises(DeadlineExceeded if "hang" in fault else Unknown) as refused:
        await hasty_node.sandbox(config, HANDLER)
    assert "Traceback" not in str(refused.value)
    assert await hasty_node.listed() == []
    await hasty_node.audited()
    faulty.behave()
    await hasty_node.sandbox(config, HANDLER)
    await hasty_node.emptied()


@pytest.mark.parametrize("fault", ["fail create", "fail start"])
async def test_a_runtime_that_refuses_is_quoted(faulty_node: Node, faulty: FaultyRuntime, fault: str) -> None:
    pod = await faulty_node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.commit(fault)
    with pytest.raises(Unknown, match=f"made up: no {fault.split()[1]} today"):
        await pod.start(container)
    status = await pod.status(container)
    assert (status.exit_code, status.reason) == (128, "StartError")
    assert "made up" in status.message
    await faulty_node.audited()
    await faulty_node.emptied()


@pytest.mark.parametrize("fault", ["garbage create", "garbage exec"])
async def test_a_runtime_that_talks_nonsense(hasty_node: Node, faulty: FaultyRuntime, fault: str) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.create()
    if fault == "garbage create":
        faulty.commit(fault)
        with pytest.raises((Unknown, DeadlineExceeded)):  # monitors differ in how long they look for the PID
            await pod.start(container)
        assert (await pod.status(container)).reason == "StartError"
    else:
        await pod.start(container)
        faulty.commit(fault)
        answer = await pod.exec(container, "true")  # what it writes is the command's output, for all we can know
        assert len(answer.stdout) == 100_000
    await hasty_node.emptied()


async def test_a_runtime_that_does_not_tell_a_state_at_the_next_start(hasty_node: Node, faulty: FaultyRuntime) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.create()
    faulty.kill(hasty_node.server, "after create")
    await asyncio.gather(pod.start(container), return_exceptions=True)
    faulty.commit("garbage state")
    await hasty_node.again()
    assert (await pod.status(container)).state == api.CONTAINER_CREATED
    await hasty_node.audited()
    await hasty_node.emptied()


async def test_a_hung_exec_ends_at_its_deadline(hasty_node: Node, faulty: FaultyRuntime) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.run()
    faulty.commit("hang exec")
    with pytest.raises(DeadlineExceeded, match="did not end within 1 s"):
        await pod.exec(container, "true", timeout=1)
    await hasty_node.audited()
    await hasty_node.emptied()


async def test_an_unknown_handler(node: Node) -> None:
    with pytest.raises(InvalidArgument, match=r"handler 'kata' is not configured.*known handlers: crun"):
        await node.sandbox(node.config(), "kata")
    assert await node.listed() == []
    await node.audited()


async def test_a_monitor_that_dies_before_it_answers(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path
) -> None:
    conmon = tmp_path / "conmon"
    conmon.write_text('#!/bin/sh\n[ "$1" = --help ] && exit 0\nexit 3\n')
    conmon.chmod(0o755)
    async with running_node(fresh_podwright({"handlers": {"crun": {"conmon": str(conmon)}}}), busybox_image) as node:
        pod = await node.pod()
        container = await pod.create(SLEEP)
        with pytest.raises(Unknown, match="conmon gave no reason"):
            await pod.start(container)
        assert (await pod.status(container)).reason == "StartError"
        await node.emptied()


async def test_a_monitor_that_hangs_from_the_first(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path
) -> None:
    conmon = tmp_path / "conmon"
    conmon.write_text('#!/bin/sh\n[ "$1" = --help ] && exit 0\nsleep 1000 & sleep 1000\n')
    conmon.chmod(0o755)
    settings = {"handlers": {"crun": {"conmon": str(conmon)}}, "containers": {"runtime_timeout_s": HASTY_S}}
    async with running_node(fresh_podwright(settings), busybox_image) as node:
        pod = await node.pod()
        container = await pod.create(SLEEP)
        with pytest.raises(DeadlineExceeded, match=r"crun create \w+ hangs"):
            await pod.start(container)
        assert (await pod.status(container)).reason == "StartError"
        await node.audited()
        await node.emptied()


async def test_programs_that_do_not_say_what_they_can(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path
) -> None:
    """They are used for the little that all of their kind can do, and for more once they have answered."""
    script = '#!/bin/sh\nwhile [ "$1" = {question} ] && [ ! -e {go} ]; do sleep 0.1; done\nexec {program} "$@"\n'
    handler = {}
    for key, name, question in (("path", "runc", "features"), ("conmon", "conmon", "--help")):
        program = tmp_path / name
        program.write_text(script.format(question=question, go=tmp_path / "go", program=shutil.which(name)))
        program.chmod(0o755)
        handler[key] = str(program)
    async with running_node(fresh_podwright({"handlers": {"slow": handler}}), busybox_image) as node:
        assert not await _has_user_namespaces(node)
        pod = await node.pod()
        assert await pod.output("echo", "fine") == "fine\n"
        (tmp_path / "go").touch()
        await eventually(lambda: _has_user_namespaces(node), "the runtime's answer is taken")
        await node.emptied()


async def _has_user_namespaces(node: Node) -> bool:
    status = await node.cri.call(node.cri.runtime.Status, api.StatusRequest())
    return all(handler.features.user_namespaces for handler in status.runtime_handlers)


async def test_everything_hangs_but_the_daemon(hasty_node: Node, faulty: FaultyRuntime) -> None:
    """Whatever the runtime is asked ends by its deadline; meanwhile others are served, and all pods go away."""
    pods = [await hasty_node.pod(handler=HANDLER, namespaces=SHARED_PID) for _ in range(3)]
    containers = [await pod.run(DEAF, name="deaf") for pod in pods]
    created = [await pod.create(name="created") for pod in pods]
    faulty.commit("hang *")
    asked: list[asyncio.Future[Any]] = [
        asyncio.ensure_future(request)
        for pod, running, waiting in zip(pods, containers, created, strict=True)
        for request in (pod.start(waiting), pod.exec(running, "true", timeout=2))
    ]
    other = await hasty_node.pod()
    assert await other.output("echo", "fine", name="main") == "fine\n"
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, DeadlineExceeded)
    await asyncio.gather(*(pod.stop(container, timeout=0) for pod, container in zip(pods, containers, strict=True)))
    await hasty_node.emptied()


@pytest.mark.parametrize(
    ("handlers", "complaint"),
    [
        ({"crun": {"path": "/nowhere/crun"}}, "/nowhere/crun is not a program"),
        ({"crun": {"conmon": "/nowhere/conmon"}}, "/nowhere/conmon is not a program"),
        ({"crun": {"path": "/etc"}}, "/etc is not a program"),
        ({"no-such-runtime": {}}, "the program no-such-runtime is not installed"),
        ({"crun": {"conmon": "no-such-monitor"}}, "the program no-such-monitor is not installed"),
    ],
)
def test_missing_programs_are_named_at_start(
    fresh_podwright: FreshPodwright, handlers: dict[str, dict[str, str]], complaint: str
) -> None:
    server = fresh_podwright({"log_level": "info", "handlers": handlers}, start=False)
    with pytest.raises(StartError):
        server.start()
    assert server.log.read_text().startswith(f"podwright: {complaint}")
    assert len(server.log.read_text().splitlines()) == 1


async def test_a_missing_program_costs_only_the_pods_of_its_handler(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path
) -> None:
    """At the start; also when a program has gone since, and pods of its handler run."""
    programs = {name: tmp_path / name for name in ("runc", SHIM)}
    for name, program in programs.items():
        program.symlink_to(str(shutil.which(name)))
    handlers = {
        "crun": {},
        "moved": {"path": str(programs["runc"])},
        "moved-shim": {"type": "shim", "path": str(programs[SHIM])},
        "no-runtime": {"path": "/nowhere/runc"},
        "no-shim": {"type": "shim", "path": "/nowhere/shim"},
    }
    server = fresh_podwright({"default_handler": "crun", "handlers": handlers})
    async with running_node(server, busybox_image) as node:
        for name in ("no-runtime", "no-shim"):
            with pytest.raises(FailedPrecondition, match=rf"'{name}' cannot be used: /nowhere/\w+ is not a program"):
                await node.sandbox(node.config(), name)
        running = []
        for name in ("moved", "moved-shim"):
            pod = await node.pod(handler=name)
            running.append((pod, [await pod.run(), await pod.run()]))
        status = await node.cri.call(node.cri.runtime.Status, api.StatusRequest())
        assert {one.name for one in status.runtime_handlers} == {"", "crun", "moved", "moved-shim"}
        for program in programs.values():
            program.unlink()
        await node.again()
        for pod, containers in running:
            for container in containers:
                assert (await pod.status(container)).state == api.CONTAINER_RUNNING
            with pytest.raises(FailedPrecondition, match=r"'moved.*' cannot be used"):
                await pod.create(name="late")
        assert await (await node.pod()).output("echo", "fine") == "fine\n"
        await node.emptied()


def test_a_default_handler_that_is_not_configured(fresh_podwright: FreshPodwright) -> None:
    server = fresh_podwright({"log_level": "info", "default_handler": "kata", "handlers": {"crun": {}}}, start=False)
    done = subprocess.run(server.argv(), check=False, capture_output=True, text=True, timeout=patient(60))
    assert done.returncode == 1
    assert done.stderr == "podwright: default_handler 'kata' is not among the handlers ['crun']\n"
