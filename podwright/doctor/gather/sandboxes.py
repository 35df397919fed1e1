"""What runs pods in sandboxes and virtual machines: gVisor, and containerd's shims."""

from __future__ import annotations

import os

from podwright.doctor.facts import SandboxFacts
from podwright.linux import libc
from podwright.linux.namespaces import CLONE_NEWNET, in_thread
from podwright.process import SAFE_PATH

SHIM = "containerd-shim-"
HOSTS_OWN = "/proc/sys/net/core/rmem_default"  # by which runsc before 2024 knows the host's network namespace


def gather_sandboxes() -> SandboxFacts:
    """Look for shims and for KVM, and make a network namespace for a moment. Blocks."""
    return SandboxFacts(
        shims=tuple(sorted(_shims())),
        has_kvm=os.access("/dev/kvm", os.R_OK | os.W_OK),
        namespaces_look_like_the_hosts=_look_like_the_hosts(),
    )


def _shims() -> set[str]:
    found = set()
    for folder in SAFE_PATH.split(":"):
        try:
            found |= {name.removeprefix(SHIM) for name in os.listdir(folder) if name.startswith(SHIM)}
        except OSError:
            continue
    return found


def _look_like_the_hosts() -> bool:
    def inside() -> bool:
        libc.unshare(CLONE_NEWNET)
        return os.path.exists(HOSTS_OWN)

    try:
        return in_thread(inside)
    except OSError:
        return False
