"""What runs: the rules of command and args, the environment, the working directory."""

from __future__ import annotations

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.model.container import ContainerConfig, ImageSpec
from podwright.runtime.model.image import ImageConfig
from podwright.runtime.oci_spec import command


def _config(**fields: object) -> ContainerConfig:
    return ContainerConfig(name="c", image=ImageSpec(image="i"), **fields)  # type: ignore[arg-type] # mixed keywords


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "asked_command", "asked_args", "argv"),
    [
        (("/e",), ("c",), (), (), ["/e", "c"]),
        (("/e",), ("c",), (), ("a",), ["/e", "a"]),
        (("/e",), ("c",), ("x",), (), ["x"]),
        (("/e",), ("c",), ("x",), ("a",), ["x", "a"]),
        ((), ("c", "d"), (), (), ["c", "d"]),
        ((), (), ("x",), (), ["x"]),
        ((), (), (), ("a",), ["a"]),
        (("",), ("c",), (), (), ["c"]),
        (("/e",), (), (), (), ["/e"]),
    ],
)
def test_arguments(
    entrypoint: tuple[str, ...],
    cmd: tuple[str, ...],
    asked_command: tuple[str, ...],
    asked_args: tuple[str, ...],
    argv: list[str],
) -> None:
    image = ImageConfig(entrypoint=entrypoint, cmd=cmd)
    assert command.arguments(_config(command=asked_command, args=asked_args), image) == argv


def test_nothing_to_run_is_an_error() -> None:
    with pytest.raises(InvalidArgument, match="no command specified"):
        command.arguments(_config(), ImageConfig(entrypoint=("",)))


def test_environment_later_values_win_in_place() -> None:
    image = ImageConfig(env=("PATH=/image", "A=image", "EMPTY="))
    config = _config(envs=(("A", "request"), ("B", "x=y"), ("A", "last")), tty=True)
    assert command.environment(config, image, "pod") == [
        "PATH=/image",
        "TERM=xterm",
        "HOSTNAME=pod",
        "A=last",
        "EMPTY=",
        "B=x=y",
    ]


def test_environment_has_a_path_without_help() -> None:
    assert command.environment(_config(), ImageConfig(), "h")[0] == command.DEFAULT_PATH


@pytest.mark.parametrize(
    ("asked", "image", "directory"), [("", "", "/"), ("", "/image", "/image"), ("/asked", "/image", "/asked")]
)
def test_working_directory(asked: str, image: str, directory: str) -> None:
    assert command.working_dir(_config(working_dir=asked), ImageConfig(working_dir=image)) == directory


def test_relative_working_directory_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="not absolute"):
        command.working_dir(_config(working_dir="a/b"), ImageConfig())
