"""Judges the default seccomp profile and the security modules. Pure."""

from __future__ import annotations

from podwright.doctor.facts import Facts
from podwright.doctor.finding import Finding, missing, note, ok, warning
from podwright.doctor.remedy import APPARMOR, SECCOMP_PROFILE, install


def seccomp_profile(facts: Facts) -> Finding:
    """The profile for RuntimeDefault."""
    security = facts.security
    if security.seccomp_error:
        return missing(
            f"{security.seccomp_profile}: {security.seccomp_error}",
            cost="pods that ask for RuntimeDefault are refused",
            remedy="fix `containers.seccomp_profile`",
        )
    if not security.seccomp_profile:
        return warning(
            "none installed, none configured",
            cost="pods that ask for RuntimeDefault run without a filter",
            remedy=install(SECCOMP_PROFILE, facts.host),
        )
    return ok(security.seccomp_profile)


def apparmor(facts: Facts) -> Finding:
    """Optional. A kernel with AppArmor but without its parser is an incomplete installation."""
    if not facts.security.apparmor:
        return note("not enabled in this kernel", cost="pods that ask for an AppArmor profile are refused")
    if not facts.security.apparmor_parser:
        return warning(
            "enabled, but apparmor_parser is not installed",
            cost="profiles cannot be loaded",
            remedy=install(APPARMOR, facts.host),
        )
    return ok("enabled")


def selinux(facts: Facts) -> Finding:
    """Optional."""
    if facts.security.selinux:
        return ok("enabled")
    return note("not enabled", cost="SELinux labels in pods have no effect")
