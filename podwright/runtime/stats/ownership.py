"""Which cgroup belongs to a pod alone. Pure.

A pod's usage comes from its parent cgroup only if that belongs to the pod alone, which its name shows: it ends in the
sandbox's id (Podwright made it) or in `pod<uid>` (a kubelet made it, `pod<uid_with_underscores>.slice` with systemd).
Any other parent may hold other pods or processes now or later. Then the pod's usage is the sum of its containers. The
rule uses names rather than members, so that a pod's counters do not jump when another pod comes or goes.
"""

from __future__ import annotations

from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.oci_spec.cgroups import cgroup_directory


def own_cgroup(sandbox: Sandbox, *, systemd: bool) -> str | None:
    """The path of the pod's own cgroup below the hierarchies' roots, or None if its parent is shared."""
    directory = cgroup_directory(sandbox.cgroup_parent, "any", systemd=systemd).rpartition("/")[0]
    name = directory.rpartition("/")[2].removesuffix(".slice")
    uid = sandbox.config.name.uid
    if name.endswith(sandbox.id):
        return directory
    if uid and name.endswith((f"pod{uid}", f"pod{uid.replace('-', '_')}")):
        return directory
    return None
