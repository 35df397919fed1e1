"""Handlers of other packages: found, refused, and without harm to others when they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux.cgroup import CgroupHost
from podwright.process import PosixProcessRunner
from podwright.runtime.config import Config, dump_config, parse_config
from podwright.runtime.handlers import plugin
from podwright.runtime.handlers.fake import FakeHandler, FakeHost, FakeKind
from podwright.runtime.handlers.protocol import HandlerKind
from podwright.runtime.handlers.registry import Handlers
from tests.runtime.handlers import packages

RAISES = "raise RuntimeError('no luck today')\n"
EXITS = "import sys\nsys.exit('no luck today')\n"
HANGS = "import time\ntime.sleep(5)\n"
WORKS = """
import msgspec
from podwright.runtime.handlers.fake import FakeHandler, FakeHost, FakeKind


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    colour: str = "grey"


class Factory:
    settings = Settings

    def __call__(self, context):
        handlers = {name: FakeHandler(FakeHost(), name) for name in context.settings}
        return Kind(handlers)


class Kind(FakeKind):
    def __init__(self, handlers):
        self.handlers = handlers

    async def end_abandoned(self):
        raise LookupError("lost")


factory = Factory()
"""


def config_of(**settings: object) -> Config:
    return parse_config({"handlers": {"mine": {"type": "odd", **settings}}}, "test")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    name = f"odd_{abs(hash(request.node.name))}"  # modules stay imported
    module = tmp_path / f"{name}.py"
    module.write_text(request.param)
    packages.install(module, tmp_path / "site", kind="odd", factory="factory")
    monkeypatch.syspath_prepend(tmp_path / "site")


def loaded(config: Config) -> tuple[list[HandlerKind], dict[str, str]]:
    return plugin.load(config, PosixProcessRunner(), CgroupHost(layout="v2"))


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="'odd' is unknown"):
        config_of()


@pytest.mark.parametrize("package", [WORKS], indirect=True)
@pytest.mark.usefixtures("package")
def test_its_keys_are_its_own() -> None:
    kinds, broken = loaded(config_of(colour="red"))
    assert [list(kind.handlers) for kind in kinds] == [["mine"]]
    assert not broken
    with pytest.raises(InvalidArgument, match=r"handlers\.mine.*weight"):
        loaded(config_of(weight=1))


@pytest.mark.parametrize("package", [WORKS], indirect=True)
@pytest.mark.usefixtures("package")
def test_the_configuration_is_shown_as_it_was_written() -> None:
    text = dump_config(config_of(colour="red"))
    assert 'type = "odd"' in text
    assert 'colour = "red"' in text
    assert "foreign" not in text


@pytest.mark.parametrize("package", [RAISES, EXITS], indirect=True, ids=["raises", "exits"])
@pytest.mark.usefixtures("package")
def test_a_package_that_raises_costs_only_its_own_pods() -> None:
    kinds, broken = loaded(config_of())
    assert not kinds
    handlers = Handlers([FakeKind(FakeHandler(FakeHost()))], "", broken=broken)
    assert handlers.get("").name == "fake"
    with pytest.raises(FailedPrecondition, match=r"'mine' cannot be used.*no luck today"):
        handlers.get("mine")


@pytest.mark.parametrize("package", [HANGS], indirect=True)
@pytest.mark.usefixtures("package")
def test_a_package_whose_import_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "IMPORT_S", 0.1)
    kinds, broken = loaded(config_of())
    assert not kinds
    assert "is not imported within 0.1 s" in broken["mine"]


@pytest.mark.parametrize("package", [WORKS], indirect=True)
@pytest.mark.usefixtures("package")
async def test_a_step_that_fails_costs_only_its_own_pods() -> None:
    foreign, broken = loaded(config_of())
    handlers = Handlers([FakeKind(FakeHandler(FakeHost()))], "", foreign=foreign, broken=broken)
    await handlers.probe()
    assert handlers.get("mine").name == "mine"
    await handlers.end_abandoned()
    assert handlers.get("").name == "fake"
    with pytest.raises(FailedPrecondition, match="lost"):
        handlers.get("mine")
    await handlers.close()
