"""Parts of requests that several cases send."""

from __future__ import annotations

from podwright.cri.v1 import api_pb2 as api


def secured(**fields: object) -> api.LinuxContainerConfig:
    """A security context with these fields, and a PID namespace of the container's own."""
    namespaces = api.NamespaceOption(pid=api.CONTAINER)
    context = api.LinuxContainerSecurityContext(namespace_options=namespaces, **fields)  # type: ignore[arg-type] # keywords
    return api.LinuxContainerConfig(security_context=context)


def limited(**fields: object) -> api.LinuxContainerConfig:
    """Resources with these fields."""
    return api.LinuxContainerConfig(resources=api.LinuxContainerResources(**fields))  # type: ignore[arg-type] # keywords


def profile(kind: api.SecurityProfile.ProfileType, ref: str = "") -> api.SecurityProfile:
    """A profile for seccomp or AppArmor. `ref` names the one of kind Localhost."""
    return api.SecurityProfile(profile_type=kind, localhost_ref=ref)
