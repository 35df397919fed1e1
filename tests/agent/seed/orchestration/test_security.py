from __future__ import annotations

import pytest

from podwright.agent.seed.orchestration.security import (
    ImageUser,
    container_security,
    namespace_options,
    sandbox_security,
)
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from tests.agent.seed.build import context

ROOT = ImageUser()
NUMBER = ImageUser(uid=1002)
NAME = ImageUser(username="www-data")


def secured(
    container: str = "", pod: str = "", image_user: ImageUser = ROOT, spec: str = ""
) -> api.LinuxContainerSecurityContext:
    more = ", ".join(part for part in (f"securityContext: {{{pod}}}" if pod else "", spec) if part)
    made = context(more, container=f"securityContext: {{{container}}}" if container else "").pod
    return container_security(made, made.spec.containers[0], image_user)


def test_defaults_mask_paths_and_leave_seccomp_unconfined() -> None:
    made = secured()
    assert "/proc/kcore" in made.masked_paths
    assert "/proc/sys" in made.readonly_paths
    assert made.seccomp.profile_type == api.SecurityProfile.Unconfined
    assert not made.HasField("apparmor")
    assert not made.no_new_privs


@pytest.mark.parametrize(
    ("container", "pod", "image_user", "user", "username"),
    [
        ("", "", NUMBER, 1002, ""),
        ("", "", NAME, None, "www-data"),
        ("", "", ROOT, 0, ""),
        ("", "runAsUser: 5", NUMBER, 5, ""),
        ("runAsUser: 0", "runAsUser: 5", NAME, 0, ""),
    ],
)
def test_who_runs(container: str, pod: str, image_user: ImageUser, user: int | None, username: str) -> None:
    made = secured(container, pod, image_user)
    assert (made.run_as_user.value if made.HasField("run_as_user") else None) == user
    assert made.run_as_username == username


@pytest.mark.parametrize(
    ("container", "pod", "image_user", "refused"),
    [
        ("", "runAsNonRoot: true", ROOT, True),
        ("", "runAsNonRoot: true", NAME, True),
        ("", "runAsNonRoot: true", NUMBER, False),
        ("runAsUser: 0", "runAsNonRoot: true", NUMBER, True),
        ("runAsUser: 7", "runAsNonRoot: true", NAME, False),
        ("runAsNonRoot: false", "runAsNonRoot: true", ROOT, False),
    ],
)
def test_run_as_non_root(container: str, pod: str, image_user: ImageUser, refused: bool) -> None:
    if refused:
        with pytest.raises(InvalidArgument, match="runAsNonRoot"):
            secured(container, pod, image_user)
    else:
        secured(container, pod, image_user)


@pytest.mark.parametrize(("container", "pod"), [("runAsGroup: 5", ""), ("", "runAsGroup: 5")])
def test_a_group_alone_stands_beside_root_as_with_a_kubelet(container: str, pod: str) -> None:
    """CRI refuses run_as_group without run_as_user; an image that names no user runs as root."""
    made = secured(container, pod)
    assert made.HasField("run_as_user")
    assert (made.run_as_user.value, made.run_as_group.value) == (0, 5)


@pytest.mark.parametrize("container", ["privileged: true", "procMount: Unmasked"])
def test_nothing_is_masked_when_all_is_to_be_seen(container: str) -> None:
    made = secured(container, spec="hostUsers: false")
    assert not made.masked_paths
    assert not made.readonly_paths


def test_profiles_of_the_container_win() -> None:
    made = secured(
        "seccompProfile: {type: RuntimeDefault}, appArmorProfile: {type: Localhost, localhostProfile: mine}",
        "seccompProfile: {type: Unconfined}",
    )
    assert made.seccomp.profile_type == api.SecurityProfile.RuntimeDefault
    assert made.apparmor.localhost_ref == "mine"
    local = secured("seccompProfile: {type: Localhost, localhostProfile: a.json}")
    assert local.seccomp.localhost_ref == "/var/lib/kubelet/seccomp/a.json"


def test_groups_capabilities_and_flags() -> None:
    made = secured(
        "capabilities: {add: [NET_ADMIN], drop: [ALL]}, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false",
        "fsGroup: 7, supplementalGroups: [8, 7], runAsUser: 1, runAsGroup: 2, supplementalGroupsPolicy: Strict",
    )
    assert list(made.supplemental_groups) == [7, 8]
    assert made.supplemental_groups_policy == api.SupplementalGroupsPolicy.Strict
    assert made.run_as_group.value == 2
    assert list(made.capabilities.add_capabilities) == ["NET_ADMIN"]
    assert list(made.capabilities.drop_capabilities) == ["ALL"]
    assert made.readonly_rootfs
    assert made.no_new_privs


@pytest.mark.parametrize(
    ("spec", "network", "pid", "ipc"),
    [
        ("", "POD", "CONTAINER", "POD"),
        ("hostNetwork: true", "NODE", "CONTAINER", "POD"),
        ("hostPID: true, hostIPC: true", "POD", "NODE", "NODE"),
        ("shareProcessNamespace: true", "POD", "POD", "POD"),
    ],
)
def test_namespaces(spec: str, network: str, pid: str, ipc: str) -> None:
    options = namespace_options(context(spec).pod)
    names = [api.NamespaceMode.Name(mode) for mode in (options.network, options.pid, options.ipc)]
    assert names == [network, pid, ipc]


def test_the_sandbox_is_confined_and_privileged_when_a_container_is() -> None:
    made = sandbox_security(context(container="securityContext: {privileged: true}").pod)
    assert made.seccomp.profile_type == api.SecurityProfile.RuntimeDefault
    assert made.privileged
