"""Fixtures that every test may use, the conformance cases too.

The `conftest` at the top of the repository makes them known to pytest.

Servers are started on first use and live as long as the session, one of each in every process that runs tests;
`fresh_podwright` makes one for a single test.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from podwright.conformance.peer import CriPeer
from tests.harness import crio
from tests.harness.containerd import Containerd
from tests.harness.docker import DockerEngine
from tests.harness.gvisor import DEVIATIONS, PART
from tests.harness.podwright import Podwright, PodwrightOnDocker, PodwrightOnRunsc, PodwrightOnShims, Settings
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer
from tests.harness.session import SHARE
from tools.registry import Registry, push_samples, write_hosts

NEEDS_ROOT = "needs root: run the suite as root, or `make test-fast` for what works without"
NEEDS_CRIO = "needs crio and pinns on the PATH: Debian 12 has no package of CRI-O"
FreshPodwright = Callable[..., Podwright]


# The cases that always run over containerd's shim: what its handler has code of its own for. All take four minutes.
SHIM_PART = frozenset(
    {"test_lifecycle", "test_logs", "test_stdio", "test_streams_attach", "test_exec_sync", "test_pause", "test_update"}
)
DOCKER_PART = frozenset({"test_lifecycle", "test_logs", "test_streams_attach", "test_exec_sync"})
# By mark and option: what of the cases always runs over handlers and engines that are not the default.
PARTS = {"shim": SHIM_PART, "runsc": PART, "docker": DOCKER_PART}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs root when we are not; nothing else is ever skipped but for a CRI-O that is not there.

    `--shim`, `--runsc` and `--docker` say which cases run over those as well; other tests do not depend on what runs
    containers. `--disposable` lets tests change the machine.
    """
    chosen = {mark: str(config.getoption(f"--{mark}")) for mark in PARTS}
    keeps_machine = not config.getoption("--disposable")
    left_out = [
        item
        for item in items
        if _is_left_out(item, chosen) or (keeps_machine and item.get_closest_marker("disposable"))
    ]
    for item in items:
        if item.get_closest_marker("runsc") and (why := _deviation(item)):
            item.add_marker(pytest.mark.deviates(PodwrightOnRunsc.variant, why))
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        dropped = set(left_out)
        items[:] = [item for item in items if item not in dropped]
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root") or item.get_closest_marker("peer"):
            item.add_marker(pytest.mark.skip(reason=NEEDS_ROOT))


def _is_left_out(item: pytest.Item, chosen: dict[str, str]) -> bool:
    mark = next((mark for mark in PARTS if item.get_closest_marker(mark)), "")
    if any(choice == "only" and mark != other for other, choice in chosen.items()):
        return True
    if not mark:
        return False
    is_case = item.path.parent.name == "cases"
    in_part = item.path.stem in PARTS[mark] or _case(item) in PARTS[mark]
    return not is_case or (chosen[mark] == "part" and not in_part)


def _deviation(item: pytest.Item) -> str | None:
    """Why a case cannot pass on gVisor, by its name or by that with its own parameters."""
    parameters = item.name.partition("[runsc-")[2]
    return DEVIATIONS.get(_case(item)) or DEVIATIONS.get(f"{_case(item)}[{parameters}")


def _case(item: pytest.Item) -> str:
    """A case by its file and function: `test_logs::test_order`."""
    return f"{item.path.stem}::{getattr(item, 'originalname', item.name)}"


@pytest.fixture(scope="session")
def scratch(request: pytest.FixtureRequest) -> Scratch:
    """This process's private names and directory."""
    return Scratch(request.config.stash[SHARE])


@pytest.fixture(scope="session")
def registry(scratch: Scratch) -> Iterator[Registry]:
    """A docker-registry on loopback that holds the sample images."""
    with Registry(scratch.part("registry").directory) as server:
        push_samples(server)
        yield server


@pytest.fixture(scope="session")
def busybox_image(registry: Registry) -> str:
    """A reference to the sample image."""
    return f"{registry.host}/busybox:1"


@pytest.fixture(scope="session")
def image(busybox_image: str) -> str:
    """What the conformance cases run."""
    return busybox_image


@pytest.fixture(scope="session")
def certs_d(scratch: Scratch, registry: Registry) -> Path:
    """A `certs.d` folder that sends every pull to the loopback registry, docker.io's too."""
    return write_hosts(scratch.part("certs").directory, registry.url).parent.parent


@pytest.fixture(scope="session")
def podwright_server(scratch: Scratch, certs_d: Path) -> Iterator[Podwright]:
    """The daemon that most tests share: built-in bridge, default handler. Leave it as you found it."""
    with Podwright(scratch.part("pw", keep=True), settings=_pulling_from(certs_d)) as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def shim_server(scratch: Scratch, certs_d: Path) -> Iterator[Podwright]:
    """A daemon whose default handler is containerd's shim for runc."""
    with PodwrightOnShims(scratch.part("pws", keep=True), settings=_pulling_from(certs_d)) as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def docker_server(scratch: Scratch) -> Iterator[Podwright]:
    """A daemon whose pods run in a Docker Engine of its own."""
    with DockerEngine(scratch.part("eng", keep=True), networks=False) as engine:
        engine.start()
        with PodwrightOnDocker(scratch.part("pwd", keep=True), engine) as server:
            server.start()
            yield server


@pytest.fixture(scope="session")
def runsc_server(scratch: Scratch, certs_d: Path) -> Iterator[Podwright]:
    """A daemon whose default handler is gVisor."""
    with PodwrightOnRunsc(scratch.part("pwg", keep=True), settings=_pulling_from(certs_d)) as server:
        server.start()
        yield server


@pytest.fixture
def fresh_podwright(scratch: Scratch, certs_d: Path) -> Iterator[FreshPodwright]:
    """`fresh_podwright(settings={...}, config_text=None, start=True)`: a daemon of the test's own."""
    with ExitStack() as servers:

        def make(settings: Settings | None = None, *, config_text: str | None = None, start: bool = True) -> Podwright:
            over = {**_pulling_from(certs_d), **(settings or {})}
            server = Podwright(scratch.part("pw"), settings=over, config_text=config_text)
            servers.enter_context(server)
            if start:
                server.start()
            return server

        yield make


@pytest.fixture(scope="session")
def containerd_server(scratch: Scratch, registry: Registry, certs_d: Path) -> Iterator[Containerd]:
    """Debian's containerd with runc and CNI; for tests marked `peer`."""
    with Containerd(scratch.part("ctd", keep=True), pause_image=f"{registry.host}/pause:1", certs_d=certs_d) as server:
        server.start()
        yield server


@pytest.fixture(scope="session")
def crio_server(scratch: Scratch, registry: Registry) -> Iterator[crio.Crio]:
    """CRI-O with runc and CNI, where somebody has installed it; for tests marked `peer`."""
    if not crio.is_installed():
        pytest.skip(NEEDS_CRIO)
    with crio.Crio(
        scratch.part("crio", keep=True), pause_image=f"{registry.host}/pause:1", registry=registry.host
    ) as server:
        server.start()
        yield server


@pytest.fixture(
    params=[
        pytest.param("podwright", marks=pytest.mark.root),
        pytest.param("containerd", marks=[pytest.mark.root, pytest.mark.peer]),
        pytest.param("shim", marks=[pytest.mark.root, pytest.mark.shim]),
        pytest.param("docker", marks=[pytest.mark.root, pytest.mark.docker]),
        pytest.param("runsc", marks=[pytest.mark.root, pytest.mark.runsc]),
    ]
)
def any_server(request: pytest.FixtureRequest) -> CriServer:
    """Each CRI server in turn."""
    server: CriServer = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest_asyncio.fixture
async def cri_server(any_server: CriServer) -> AsyncIterator[CriPeer]:
    """Each CRI server in turn, with a client on the tests' event loop."""
    async with any_server.client() as client:
        yield any_server.peer(client)


def _pulling_from(certs_d: Path) -> Settings:
    return {"registry": {"config_path": str(certs_d)}}
