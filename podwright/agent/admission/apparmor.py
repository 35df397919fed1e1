"""Refuses pods with an AppArmor profile on a host without AppArmor (pkg/security/apparmor of Kubernetes 1.36).

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from podwright.agent.admission.chain import Refusal
from podwright.agent.configs.profiles import wanted_apparmor
from podwright.agent.pods.containers import all_containers
from podwright.agent.pods.phases import PENDING
from podwright.k8s.objects import AppArmorProfile, Pod

UNCONFINED, LOCALHOST = "Unconfined", "Localhost"


class AppArmorCheck:
    """A `chain.Check`."""

    def __init__(self, *, has_apparmor: bool) -> None:
        self._has_apparmor = has_apparmor

    def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:  # noqa: ARG002 # the protocol's
        """See `chain.Check`. A pod that has already started is not checked again."""
        profiles = [wanted_apparmor(pod, container) for container in all_containers(pod)]
        if pod.status.phase not in ("", PENDING) or not any(map(_needs_apparmor, profiles)):
            return None
        if not self._has_apparmor:
            return _refusal("AppArmor is not enabled on the host")
        if any(profile is not None and _is_nameless(profile) for profile in profiles):
            return _refusal("a Localhost profile needs the name of a profile in localhostProfile")
        return None


def _needs_apparmor(profile: AppArmorProfile | None) -> bool:
    return profile is not None and profile.type != UNCONFINED


def _is_nameless(profile: AppArmorProfile) -> bool:
    return profile.type == LOCALHOST and not (profile.localhost_profile or "").strip()


def _refusal(why: str) -> Refusal:
    return Refusal(reason="AppArmor", message=f"Cannot enforce AppArmor: {why}")
