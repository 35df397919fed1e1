"""Every handler passes the suite: the fake, crun and runc under conmon, and containerd's shim for runc."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.linux import cgroup
from podwright.process import PosixProcessRunner
from podwright.runtime.config import parse_config
from podwright.runtime.handlers import plugin
from podwright.runtime.handlers.fake import FakeHandler, FakeHost
from podwright.runtime.handlers.oci.kind import OciKind
from podwright.runtime.handlers.protocol import Handler, HandlerKind
from podwright.runtime.handlers.registry import KINDS
from podwright.runtime.handlers.suite import CASES, World
from podwright.runtime.handlers.suite.cases import Case
from tests.harness.scratch import Scratch
from tests.runtime.handlers import packages
from tests.runtime.handlers.worlds import LocalWorld, SandboxedWorld, make_rootfs
from tools.images import BUSYBOX

EXAMPLE = Path(__file__).parents[3] / "examples/handlers/bubblewrap/podwright_bubblewrap.py"
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)


@each_case
async def test_fake(case: Case, tmp_path: Path) -> None:
    host = FakeHost()
    await case(LocalWorld(tmp_path, "/fake", lambda: FakeHandler(host)))


@pytest_asyncio.fixture(params=["crun", "runc"])
async def oci_world(request: pytest.FixtureRequest, scratch: Scratch) -> AsyncIterator[World]:
    part = scratch.part("handlers")
    part.directory.mkdir(parents=True, exist_ok=True)
    make_rootfs(part.directory, BUSYBOX)
    cgroups = cgroup.detect()
    config = parse_config(
        {"root": f"{part.directory}/root", "state": f"{part.directory}/state", "handlers": {request.param: {}}},
        "the test",
    )
    kind = OciKind(config, PosixProcessRunner(), cgroups)
    handler = kind.handlers[request.param]
    await handler.probe()
    await kind.end_abandoned()
    try:
        yield LocalWorld(part.directory, part.cgroup_parent, lambda: handler)
    finally:
        await kind.sweep(())
        await kind.close()
        cgroup.remove(cgroups, part.cgroup_parent)


@pytest.mark.root
@each_case
async def test_oci(case: Case, oci_world: World) -> None:
    await case(oci_world)


# What gVisor's containers cannot do: docs/gvisor.md.
GUESTS_CANNOT = {
    "a_program_runs_only_after_start",
    "a_pause_stops_it_and_a_signal_resumes_it",
    "limits_are_taken_back_when_the_block_raises",
    "a_start_that_was_interrupted_is_found",
}


@pytest_asyncio.fixture
async def guest_world(scratch: Scratch) -> AsyncIterator[World]:
    part = scratch.part("guests")
    part.directory.mkdir(parents=True, exist_ok=True)
    make_rootfs(part.directory, BUSYBOX)
    cgroups = cgroup.detect()
    config = parse_config(
        {
            "root": f"{part.directory}/root",
            "state": f"{part.directory}/state",
            "handlers": {"runsc": {"arguments": ["--platform=ptrace", "--network=host"]}},
        },
        "the test",
    )
    kind = OciKind(config, PosixProcessRunner(), cgroups)
    handler = kind.handlers["runsc"]
    await handler.probe()
    assert handler.capabilities.sandbox_process
    await kind.end_abandoned()
    world = SandboxedWorld(part.directory, part.cgroup_parent, lambda: handler)
    try:
        await world.begin()
        yield world
    finally:
        await world.end()
        await kind.sweep(())
        await kind.close()
        cgroup.remove(cgroups, part.cgroup_parent)


@pytest.mark.root
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.__name__ not in GUESTS_CANNOT], ids=lambda c: c.__name__
)
async def test_guest(case: Case, guest_world: World) -> None:
    await case(guest_world)


@pytest_asyncio.fixture
async def example_world(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The handler of examples/handlers, as an installed package would be."""
    part = scratch.part("example")
    part.directory.mkdir(parents=True, exist_ok=True)
    make_rootfs(part.directory, BUSYBOX)
    packages.install(EXAMPLE, part.directory / "site")
    monkeypatch.syspath_prepend(part.directory / "site")
    cgroups = cgroup.detect()
    settings = {"type": "bubblewrap"}
    config = parse_config(
        {"root": f"{part.directory}/root", "state": f"{part.directory}/state", "handlers": {"wrapped": settings}},
        "the test",
    )
    kinds, broken = plugin.load(config, PosixProcessRunner(), cgroups)
    assert not broken
    handler = kinds[0].handlers["wrapped"]
    await handler.probe()
    await kinds[0].end_abandoned()
    try:
        yield LocalWorld(part.directory, part.cgroup_parent, lambda: handler)
    finally:
        await kinds[0].sweep(())
        await kinds[0].close()
        cgroup.remove(cgroups, part.cgroup_parent)


# What the example leaves out.
EXAMPLE_CANNOT = {"limits_are_taken_back_when_the_block_raises", "a_pod_has_a_first_process"}


@pytest.mark.root
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.__name__ not in EXAMPLE_CANNOT], ids=lambda c: c.__name__
)
async def test_example(case: Case, example_world: World) -> None:
    await case(example_world)


@pytest_asyncio.fixture
async def shim_world(scratch: Scratch) -> AsyncIterator[World]:
    part = scratch.part("shim")
    make_rootfs(part.directory, BUSYBOX)
    cgroups = cgroup.detect()
    config = parse_config(
        {
            "root": f"{part.directory}/root",
            "state": f"{part.directory}/state",
            "listen": f"unix://{part.directory}/podwright.sock",
            "handlers": {"runc": {"type": "shim", "path": os.environ.get("PODWRIGHT_TEST_SHIM", "")}},
        },
        "the test",
    )
    kinds: list[HandlerKind] = []

    def make() -> Handler:
        kind = KINDS["shim"](config, PosixProcessRunner(), cgroups)
        kinds.append(kind)
        return kind.handlers["runc"]

    world = LocalWorld(part.directory, part.cgroup_parent, make)
    await kinds[0].end_abandoned()
    try:
        yield world
    finally:
        await kinds[-1].sweep(())
        for kind in kinds:
            await kind.close()
        cgroup.remove(cgroups, part.cgroup_parent)


@pytest.mark.root
@each_case
async def test_shim(case: Case, shim_world: World) -> None:
    await case(shim_world)
