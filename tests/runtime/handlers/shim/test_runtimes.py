"""What a handler's configuration means for its shim, as tables."""

from __future__ import annotations

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.config import ShimHandlerSettings, ShimOptions
from podwright.runtime.handlers.shim import runtimes
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.options import ShimRuntimeOptions


@pytest.mark.parametrize(
    ("settings", "program", "is_runc", "sandbox"),
    [
        (ShimHandlerSettings(), "containerd-shim-runc-v2", True, "none"),
        (ShimHandlerSettings(runtime_type="io.containerd.kata.v2"), "containerd-shim-kata-v2", False, "container"),
        (ShimHandlerSettings(runtime_type="io.containerd.runsc.v1"), "containerd-shim-runsc-v1", False, "container"),
        (
            ShimHandlerSettings(runtime_type="io.containerd.kata.v2", sandbox="api"),
            "containerd-shim-kata-v2",
            False,
            "api",
        ),
        (ShimHandlerSettings(runtime_type="/opt/shim"), "/opt/shim", False, "container"),
        (ShimHandlerSettings(path="/opt/containerd-shim-runc-v2"), "/opt/containerd-shim-runc-v2", True, "none"),
    ],
)
def test_runtimes(settings: ShimHandlerSettings, program: str, is_runc: bool, sandbox: str) -> None:
    found = runtimes.runtime("name", settings)
    assert (found.program, found.is_runc, found.sandbox) == (program, is_runc, sandbox)


@pytest.mark.parametrize("runtime_type", ["", "runc", "io..v2", "a/b.v2"])
def test_a_type_that_names_no_program(runtime_type: str) -> None:
    with pytest.raises(InvalidArgument, match=r"handlers\.name\.runtime_type"):
        runtimes.runtime("name", ShimHandlerSettings(runtime_type=runtime_type))


def test_options_of_another_runtime_are_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"takes no config_path.*binary_name"):
        runtimes.runtime("name", ShimHandlerSettings(options=ShimOptions(config_path="/x")))
    kata = ShimHandlerSettings(runtime_type="io.containerd.kata.v2", options=ShimOptions(binary_name="crun"))
    with pytest.raises(InvalidArgument, match=r"takes no binary_name.*config_path"):
        runtimes.runtime("name", kata)


def test_the_options_of_runc() -> None:
    options = ShimRuntimeOptions(is_runc=True, given=ShimOptions(binary_name="crun"), root="/r", systemd_cgroup=True)
    packed = options.of((5, 6))
    assert packed is not None
    assert packed.type_url == "containerd.runc.v1.Options"
    message = pb.RuncOptions.FromString(packed.value)
    assert message == pb.RuncOptions(binary_name="crun", root="/r", systemd_cgroup=True, io_uid=5, io_gid=6)


def test_the_options_of_others() -> None:
    plain = ShimRuntimeOptions(is_runc=False, given=ShimOptions(), root="/r", systemd_cgroup=False)
    assert plain.of() is None
    assert plain.of_checkpoint("/i", "/w") is None
    given = ShimOptions(type_url="kata", config_path="/etc/kata.toml")
    packed = ShimRuntimeOptions(is_runc=False, given=given, root="/r", systemd_cgroup=False).of()
    assert packed is not None
    assert packed.type_url == "runtimeoptions.v1.Options"
    message = pb.RuntimeOptions.FromString(packed.value)
    assert (message.type_url, message.config_path) == ("kata", "/etc/kata.toml")
