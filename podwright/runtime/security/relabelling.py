"""Gives volumes the SELinux label of a container. Blocks."""

from __future__ import annotations

from podwright.errors import InvalidArgument
from podwright.linux import selinux
from podwright.linux.selinux import Contexts
from podwright.runtime.model.container import Mount


def relabel(name: str, mounts: tuple[Mount, ...], own: Contexts | None) -> None:
    """Relabel the volumes that request it, for the container `name`. Raises InvalidArgument, OSError.

    The host paths of `mounts` are resolved. Image volumes are labelled already and read-only.
    """
    for wanted in mounts:
        if own is None or not wanted.selinux_relabel:
            continue
        try:
            selinux.relabel(wanted.host_path, str(own.file))
        except PermissionError as refused:
            raise InvalidArgument(
                f"container {name}: {wanted.host_path} cannot be relabelled: {refused.strerror}",
                hint="mount a directory of the pod's own",
            ) from refused
