"""What the container's first process runs: arguments, environment, working directory."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.errors import InvalidArgument
from podwright.runtime.model.container import ContainerConfig
from podwright.runtime.model.image import ImageConfig

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def arguments(config: ContainerConfig, image: ImageConfig) -> list[str]:
    """The argv. CRI's `command` replaces the entrypoint, `args` the image's command.

    A `command` without `args` also drops the image's command. Raises InvalidArgument if nothing is left to run.
    """
    entrypoint = list(config.command)
    parameters = list(config.args)
    if not entrypoint:
        # Some builders write an entrypoint of one empty string for an absent one.
        entrypoint = [] if list(image.entrypoint) == [""] else list(image.entrypoint)
        parameters = parameters or list(image.cmd)
    if not entrypoint + parameters:
        raise InvalidArgument(
            f"container {config.name}: no command specified, and the image {config.image.image} has none",
            hint="set a command for the container",
        )
    return entrypoint + parameters


def environment(config: ContainerConfig, image: ImageConfig, hostname: str) -> list[str]:
    """KEY=value strings: defaults, the image's, the request's.

    The last value of a key counts, at its first position.
    """
    defaults = [DEFAULT_PATH, *(["TERM=xterm"] if config.tty else []), f"HOSTNAME={hostname}"]
    return merged_environment([*defaults, *image.env, *(f"{key}={value}" for key, value in config.envs)])


def merged_environment(entries: Iterable[str]) -> list[str]:
    """`entries` without repeated keys. A later value replaces the earlier one."""
    by_key: dict[str, str] = {}
    for entry in entries:
        by_key[entry.partition("=")[0]] = entry
    return list(by_key.values())


def working_dir(config: ContainerConfig, image: ImageConfig) -> str:
    """The request's, the image's, or the root. Raises InvalidArgument if it is relative."""
    path = config.working_dir or image.working_dir or "/"
    if not path.startswith("/"):
        raise InvalidArgument(f"container {config.name}: working directory {path!r} is not absolute")
    return path
