"""SELinux labels of containers on hosts that have it: which, and on the volumes that shall bear them.

Blocking calls: the service runs them in a thread.
"""

from __future__ import annotations

from podwright.errors import InvalidArgument
from podwright.linux import selinux
from podwright.linux.selinux import Contexts
from podwright.runtime.model.container import ContainerConfig, Mount
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.model.selinux import labels


def of_container(host: Contexts | None, sandbox: Sandbox, config: ContainerConfig) -> Contexts | None:
    """The container's labels: its pod's, but for what it asks for itself. None without SELinux. Pure."""
    if host is None:
        return None
    wanted = (sandbox.config.security.selinux, config.security.selinux)
    return labels(host, sandbox.selinux_level, *wanted, privileged=config.security.privileged)


def relabel(name: str, mounts: tuple[Mount, ...], own: Contexts | None) -> None:
    """Give the volumes that ask for it the label of the container `name`. Raises InvalidArgument, OSError.

    `mounts` have their host paths resolved; those of image volumes bear it already, and cannot be written.
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
