"""Which cgroup is a pod's own. Pure.

A pod's numbers come from its parent cgroup only when that is the pod's alone, told by its name: it ends in the
sandbox's id (Podwright made it) or in `pod<uid>` (a kubelet did, `pod<uid_with_underscores>.slice` on systemd hosts).
Any other parent may hold other pods now or later, or things that are none of ours; the pod is then the sum of its
containers. The rule looks at names and not at who is there, so that a pod's counters do not jump when another pod
comes or goes.
"""

from __future__ import annotations

from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.oci_spec.cgroups import cgroup_directory


def own_cgroup(sandbox: Sandbox, *, systemd: bool) -> str | None:
    """The path of the pod's own cgroup below the hierarchies' roots; None when its parent is shared."""
    directory = cgroup_directory(sandbox.cgroup_parent, "any", systemd=systemd).rpartition("/")[0]
    name = directory.rpartition("/")[2].removesuffix(".slice")
    uid = sandbox.config.name.uid
    if name.endswith(sandbox.id):
        return directory
    if uid and name.endswith((f"pod{uid}", f"pod{uid.replace('-', '_')}")):
        return directory
    return None
