"""Chooses SELinux labels to mount volumes with, so that the runtime need not label every file. Pure.

A volume gets a label if the host has SELinux, its CSI driver supports it, all containers with the volume agree on one
label, and the pod does not ask for labelled files. The label needs a level (`s0:c1,c2`), because without one the
runtime chooses the level. In all other cases the runtime labels the files. The rules are the kubelet's
(volume/util/selinux.go of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from podwright.agent.pods.containers import all_containers
from podwright.agent.volumes.storage.plans import CsiPlan
from podwright.errors import FailedPrecondition
from podwright.k8s.objects import CSIDriver, Pod, SELinuxOptions
from podwright.linux.selinux import Label

RECURSIVE = "Recursive"
ONE_POD = ("ReadWriteOncePod",)


class SelinuxMounts(msgspec.Struct, frozen=True, kw_only=True):
    """`file` is the policy's label for containers' files. None on a host without SELinux.

    `all_access_modes`: the gate SELinuxMount. Otherwise only volumes of one pod are mounted with a label.
    """

    file: Label | None = None
    all_access_modes: bool = False

    def label(self, pod: Pod, volume: str, plan: CsiPlan, driver: CSIDriver | None) -> str:
        """The label to mount `volume` of the pod with, empty for none.

        Raises FailedPrecondition if containers disagree.
        """
        if self.file is None or plan.is_block or not (self.all_access_modes or plan.access_modes == ONE_POD):
            return ""
        labels = sorted({self._label_of(self.file, options) for options in _options(pod, volume)})
        if len(labels) > 1:
            raise FailedPrecondition(
                f"multiple SELinux labels found: {','.join(labels)}",
                hint="containers with the same volume need the same seLinuxOptions",
            )
        context = pod.spec.security_context
        is_recursive = context is not None and context.se_linux_change_policy == RECURSIVE
        can = driver is not None and driver.spec.se_linux_mount is True
        return labels[0] if labels and can and not is_recursive else ""

    def _label_of(self, file: Label, options: SELinuxOptions) -> str:
        """The label of files for that of processes. The type is always the policy's."""
        return str(replace(file, user=options.user or file.user, level=options.level))


def mount_option(label: str) -> str:
    """The option of mount(8). The quotes protect commas in a level."""
    return f'context="{label}"'


def _options(pod: Pod, volume: str) -> Iterator[SELinuxOptions]:
    """The options of the containers that mount the volume, if they have a level."""
    context = pod.spec.security_context
    for container in all_containers(pod):
        own = container.security_context
        options = (own.se_linux_options if own is not None else None) or (
            context.se_linux_options if context is not None else None
        )
        if options is not None and options.level and any(each.name == volume for each in container.volume_mounts):
            yield options
