"""Seccomp profile and security modules."""

from __future__ import annotations

import json
import os

from podwright.doctor.facts import SecurityFacts
from podwright.doctor.gather.programs import locate
from podwright.linux import apparmor

# The profile that podman, buildah and CRI-O share in distributions.
DISTRIBUTION_PROFILES = ("/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json")


def gather_security(configured_profile: str) -> SecurityFacts:
    """The facts about security modules. An empty `configured_profile` means the distribution's."""
    present = (path for path in DISTRIBUTION_PROFILES if os.path.exists(path))
    profile = configured_profile or next(present, "")
    return SecurityFacts(
        seccomp_profile=profile,
        seccomp_error=profile_error(profile) if profile else "",
        apparmor=apparmor.is_enabled(),
        apparmor_parser=locate("apparmor_parser") is not None,
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
    )


def profile_error(path: str) -> str:
    """The problem of a profile, or ""."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError) as failure:
        return str(failure)
    return "" if isinstance(document, dict) and "defaultAction" in document else "it has no defaultAction"
