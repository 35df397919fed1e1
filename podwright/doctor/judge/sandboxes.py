"""Judges what runs pods in sandboxes and virtual machines. Pure."""

from __future__ import annotations

import re

from podwright.doctor.facts import Facts
from podwright.doctor.finding import Finding, note, ok, warning

RELEASED = re.compile(r"20[0-9]{6}")
FIRST_WITHOUT = "20240101"  # releases from here on know their namespaces by other means


def gvisor(facts: Facts) -> Finding:
    """runsc runs pods where its platform and its network stack do."""
    runsc = next((each for each in facts.runtimes if each.name == "runsc" and not each.program.error), None)
    if runsc is None:
        return ok("runsc is not installed, and no pod needs it")
    version = runsc.program.version
    released = RELEASED.search(version)
    is_old = released is not None and released[0] < FIRST_WITHOUT
    if is_old and facts.sandboxes.namespaces_look_like_the_hosts:
        return warning(
            f"runsc {version} takes every network namespace of this kernel for the host's",
            cost="pods of that handler fail, unless it uses the host's network stack",
            remedy='install a current release of gVisor, or set arguments = ["--network=host"]',
        )
    if not facts.sandboxes.has_kvm:
        return note(f"runsc {version}, without KVM", cost="system calls of its pods are slow", remedy="enable KVM")
    return ok(f"runsc {version}, with KVM")


def shims(facts: Facts) -> Finding:
    """The shims that a handler of type "shim" may name."""
    found = facts.sandboxes.shims
    if not found:
        return ok("none is installed, and no pod needs one")
    if any(name.startswith("kata") for name in found) and not facts.sandboxes.has_kvm:
        return warning(", ".join(found), cost="Kata's pods fail: there is no /dev/kvm", remedy="enable KVM")
    return ok(", ".join(found))
