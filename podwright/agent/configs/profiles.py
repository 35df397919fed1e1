"""Seccomp and AppArmor profiles for CRI: the container's field, or else the pod's. Pure."""

from __future__ import annotations

import os

from podwright.agent.configs.node import NodeSettings
from podwright.agent.pods.containers import AnyContainer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.k8s.objects import AppArmorProfile, Pod, SeccompProfile

APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_LOCALHOST = "localhost/"
_RUNTIME_DEFAULT = api.SecurityProfile.RuntimeDefault
_UNCONFINED = api.SecurityProfile.Unconfined
_OLD_NAMES = {"runtime/default": "RuntimeDefault", "unconfined": "Unconfined"}


def seccomp_profile(pod: Pod, container: AnyContainer, settings: NodeSettings) -> api.SecurityProfile:
    """The profile. Without a field it is unconfined, unless the node has `seccompDefault`. Raises InvalidArgument."""
    own, pods = container.security_context, pod.spec.security_context
    profile: SeccompProfile | None = own.seccomp_profile if own else None
    if profile is None and pods is not None:
        profile = pods.seccomp_profile
    if profile is None:
        return api.SecurityProfile(profile_type=_RUNTIME_DEFAULT if settings.seccomp_default else _UNCONFINED)
    if profile.type == "RuntimeDefault":
        return api.SecurityProfile(profile_type=_RUNTIME_DEFAULT)
    if profile.type != "Localhost":
        return api.SecurityProfile(profile_type=_UNCONFINED)
    if not profile.localhost_profile:
        raise InvalidArgument("localhostProfile must be set if seccompProfile type is Localhost.")
    path = os.path.join(settings.seccomp_root, profile.localhost_profile)
    return api.SecurityProfile(profile_type=api.SecurityProfile.Localhost, localhost_ref=path)


def apparmor_profile(pod: Pod, container: AnyContainer) -> tuple[api.SecurityProfile | None, str]:
    """The profile, and its name in the form that old runtimes read. Raises InvalidArgument."""
    profile = wanted_apparmor(pod, container)
    if profile is None:
        return None, ""
    if profile.type == "RuntimeDefault":
        return api.SecurityProfile(profile_type=_RUNTIME_DEFAULT), "runtime/default"
    if profile.type == "Unconfined":
        return api.SecurityProfile(profile_type=_UNCONFINED), "unconfined"
    if profile.type != "Localhost":
        raise InvalidArgument(f'unknown apparmor profile type: "{profile.type}"')
    if profile.localhost_profile is None:
        raise InvalidArgument("missing localhost apparmor profile name")
    name = profile.localhost_profile
    return api.SecurityProfile(profile_type=api.SecurityProfile.Localhost, localhost_ref=name), f"{_LOCALHOST}{name}"


def wanted_apparmor(pod: Pod, container: AnyContainer) -> AppArmorProfile | None:
    """The profile of a container.

    A static pod may still have the old annotation, which has priority over the pod's field.
    """
    own, pods = container.security_context, pod.spec.security_context
    if own is not None and own.app_armor_profile is not None:
        return own.app_armor_profile
    written = pod.metadata.annotations.get(f"{APPARMOR_ANNOTATION}{container.name}", "")
    if written in _OLD_NAMES:
        return AppArmorProfile(type=_OLD_NAMES[written])
    if written.startswith(_LOCALHOST):
        return AppArmorProfile(type="Localhost", localhost_profile=written.removeprefix(_LOCALHOST))
    return pods.app_armor_profile if pods else None
