"""Security contexts to CRI."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.agent.configs.security import (
    MASKED_PATHS,
    READONLY_PATHS,
    ImageUser,
    SecurityInputs,
    container_security,
    image_user,
    sandbox_security,
    verify_non_root,
)
from podwright.agent.runtime.records import ImageStatus
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.k8s.objects import (
    AppArmorProfile,
    Capabilities,
    Container,
    ObjectMeta,
    Pod,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
)
from tests.agent.configs.build import facts, settings
from tests.agent.fakes.pods import container, pod

ROOT = ImageUser(uid=0)


def pods(**fields: Any) -> Pod:
    return pod(security_context=PodSecurityContext(**fields))


def own(**fields: Any) -> Container:
    return container(security_context=SecurityContext(**fields))


def secured(of: Pod, which: Container, user: ImageUser = ROOT, **over: Any) -> api.LinuxContainerSecurityContext:
    inputs = SecurityInputs(user=user, facts=facts(), settings=settings(**over))
    return container_security(of, which, inputs)


def test_the_containers_fields_win_over_the_pods() -> None:
    context = secured(
        pods(run_as_user=1, run_as_group=2, se_linux_options=SELinuxOptions(level="s0")),
        own(run_as_user=3, run_as_group=4, se_linux_options=SELinuxOptions(type="t", user="u", role="r", level="s1")),
    )
    assert (context.run_as_user.value, context.run_as_group.value, context.selinux_options.level) == (3, 4, "s1")
    context = secured(pods(run_as_user=1, run_as_group=2, se_linux_options=SELinuxOptions(level="s0")), own())
    assert (context.run_as_user.value, context.run_as_group.value, context.selinux_options.level) == (1, 2, "s0")


@pytest.mark.parametrize(
    ("of", "user", "uid", "name"),
    [
        (pods(), ImageUser(uid=7), 7, ""),
        (pods(), ImageUser(username="www"), None, "www"),
        (pods(run_as_user=5), ImageUser(username="www"), 5, ""),
        (pods(run_as_user=0), ImageUser(uid=7), 0, ""),
    ],
)
def test_the_images_user_is_the_last_choice(of: Pod, user: ImageUser, uid: int | None, name: str) -> None:
    context = secured(of, own(), user)
    assert (context.run_as_user.value if context.HasField("run_as_user") else None) == uid
    assert context.run_as_username == name


def test_an_image_without_a_user_runs_as_root() -> None:
    assert image_user(ImageStatus(id="i")) == ROOT
    assert image_user(ImageStatus(id="i", uid=5)) == ImageUser(uid=5)
    assert image_user(ImageStatus(id="i", username="a")) == ImageUser(username="a")


WHERE = '(pod: "web_default(uid-web)", container: main)'


@pytest.mark.parametrize(
    ("of", "which", "user", "message"),
    [
        (
            pods(run_as_non_root=True),
            own(),
            ROOT,
            f"container has runAsNonRoot and image will run as root {WHERE}",
        ),
        (
            pods(),
            own(run_as_non_root=True),
            ImageUser(username="www"),
            f"container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root {WHERE}",
        ),
        (
            pods(run_as_user=0, run_as_non_root=True),
            own(),
            ImageUser(uid=5),
            f"container's runAsUser breaks non-root policy {WHERE}",
        ),
        (
            pods(),
            own(run_as_non_root=True),
            ImageUser(uid=2**31),
            (
                "container has runAsNonRoot and image has an invalid user id (2147483648). "
                f"(Must be 1-(2147483647)) {WHERE}"
            ),
        ),
    ],
)
def test_run_as_non_root_is_refused(of: Pod, which: Container, user: ImageUser, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        verify_non_root(of, which, user)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("of", "which", "user"),
    [
        (pods(run_as_non_root=True), own(run_as_non_root=False), ROOT),
        (pods(run_as_non_root=True, run_as_user=5), own(), ROOT),
        (pods(run_as_non_root=True), own(run_as_user=5), ImageUser(username="www")),
        (pods(run_as_non_root=True), own(), ImageUser(uid=5)),
        (pod(), container(), ROOT),
    ],
)
def test_run_as_non_root_is_kept(of: Pod, which: Container, user: ImageUser) -> None:
    verify_non_root(of, which, user)


def test_proc_mount_decides_about_masked_paths_alone() -> None:
    throttled = SecurityInputs(user=ROOT, facts=facts(throttle_paths=("/sys/x",)), settings=settings())
    context = container_security(pod(), own(privileged=True), throttled)
    assert tuple(context.masked_paths) == (*MASKED_PATHS, "/sys/x")
    assert tuple(context.readonly_paths) == READONLY_PATHS
    assert not container_security(pod(), own(proc_mount="Unmasked"), throttled).masked_paths
    assert not container_security(pod(), own(proc_mount="Unmasked"), throttled).readonly_paths


@pytest.mark.parametrize(("allowed", "no_new_privs"), [(None, False), (True, False), (False, True)])
def test_privilege_escalation(allowed: bool | None, no_new_privs: bool) -> None:
    assert secured(pod(), own(allow_privilege_escalation=allowed)).no_new_privs == no_new_privs


def test_capabilities_and_flags() -> None:
    context = secured(
        pod(),
        own(
            capabilities=Capabilities(add=("NET_ADMIN",), drop=("ALL",)),
            privileged=True,
            read_only_root_filesystem=True,
        ),
    )
    assert list(context.capabilities.add_capabilities) == ["NET_ADMIN"]
    assert list(context.capabilities.drop_capabilities) == ["ALL"]
    assert context.privileged
    assert context.readonly_rootfs
    assert not secured(pod(), container()).HasField("capabilities")


def test_groups() -> None:
    of = pods(fs_group=5, supplemental_groups=(6, 7), supplemental_groups_policy="Strict")
    inputs = SecurityInputs(user=ROOT, extra_groups=(9,), facts=facts(), settings=settings())
    context = container_security(of, container(), inputs)
    assert list(context.supplemental_groups) == [5, 6, 7, 9]
    assert context.supplemental_groups_policy == api.SupplementalGroupsPolicy.Strict
    assert list(sandbox_security(of, None, (9,)).supplemental_groups) == [5, 9, 6, 7]
    with pytest.raises(InvalidArgument, match="unsupported supplementalGroupsPolicy: Odd"):
        sandbox_security(pods(supplemental_groups_policy="Odd"), None, ())


Seccomp = api.SecurityProfile
LOCAL = SeccompProfile(type="Localhost", localhost_profile="p/x.json")


@pytest.mark.parametrize(
    ("pods_profile", "own_profile", "default", "kind", "path"),
    [
        (None, None, False, Seccomp.Unconfined, ""),
        (None, None, True, Seccomp.RuntimeDefault, ""),
        (SeccompProfile(type="RuntimeDefault"), None, False, Seccomp.RuntimeDefault, ""),
        (SeccompProfile(type="Unconfined"), None, True, Seccomp.Unconfined, ""),
        (SeccompProfile(type="RuntimeDefault"), SeccompProfile(type="Unconfined"), True, Seccomp.Unconfined, ""),
        (None, LOCAL, False, Seccomp.Localhost, "/var/lib/kubelet/seccomp/p/x.json"),
        (LOCAL, None, False, Seccomp.Localhost, "/var/lib/kubelet/seccomp/p/x.json"),
    ],
)
def test_seccomp(
    pods_profile: SeccompProfile | None,
    own_profile: SeccompProfile | None,
    default: bool,
    kind: int,
    path: str,
) -> None:
    of = pods(seccomp_profile=pods_profile)
    profile = secured(of, own(seccomp_profile=own_profile), seccomp_default=default).seccomp
    assert (profile.profile_type, profile.localhost_ref) == (kind, path)
    assert sandbox_security(of, None, ()).seccomp.profile_type == Seccomp.RuntimeDefault


def annotated(value: str) -> Pod:
    of = pods(app_armor_profile=AppArmorProfile(type="RuntimeDefault"))
    key = "container.apparmor.security.beta.kubernetes.io/main"
    return Pod(spec=of.spec, metadata=ObjectMeta(name="web", annotations={key: value}))


@pytest.mark.parametrize(
    ("of", "which", "kind", "reference", "old"),
    [
        (
            pods(app_armor_profile=AppArmorProfile(type="RuntimeDefault")),
            own(),
            Seccomp.RuntimeDefault,
            "",
            "runtime/default",
        ),
        (
            pods(app_armor_profile=AppArmorProfile(type="RuntimeDefault")),
            own(app_armor_profile=AppArmorProfile(type="Localhost", localhost_profile="p")),
            Seccomp.Localhost,
            "p",
            "localhost/p",
        ),
        (annotated("unconfined"), own(), Seccomp.Unconfined, "", "unconfined"),
        (annotated("localhost/q"), own(), Seccomp.Localhost, "q", "localhost/q"),
        (annotated("odd"), own(), Seccomp.RuntimeDefault, "", "runtime/default"),
    ],
)
def test_apparmor(of: Pod, which: Container, kind: int, reference: str, old: str) -> None:
    context = secured(of, which)
    assert (context.apparmor.profile_type, context.apparmor.localhost_ref) == (kind, reference)
    assert context.apparmor_profile == old


def test_profiles_without_a_name() -> None:
    with pytest.raises(InvalidArgument, match="localhostProfile must be set"):
        secured(pod(), own(seccomp_profile=SeccompProfile(type="Localhost")))
    with pytest.raises(InvalidArgument, match="missing localhost apparmor profile name"):
        secured(pod(), own(app_armor_profile=AppArmorProfile(type="Localhost")))
    assert not secured(pod(), own()).HasField("apparmor")


Mode = api.NamespaceMode


@pytest.mark.parametrize(
    ("spec", "network", "pid", "ipc"),
    [
        ({}, Mode.POD, Mode.CONTAINER, Mode.POD),
        ({"host_network": True}, Mode.NODE, Mode.CONTAINER, Mode.POD),
        ({"host_ipc": True}, Mode.POD, Mode.CONTAINER, Mode.NODE),
        ({"share_process_namespace": True}, Mode.POD, Mode.POD, Mode.POD),
        ({"host_pid": True, "share_process_namespace": False}, Mode.POD, Mode.NODE, Mode.POD),
    ],
)
def test_namespaces(spec: dict[str, Any], network: int, pid: int, ipc: int) -> None:
    options = sandbox_security(pod(**spec), None, ()).namespace_options
    assert (options.network, options.pid, options.ipc) == (network, pid, ipc)
    assert options.userns_options == api.UserNamespace(mode=Mode.NODE)


def test_users_of_a_pods_own() -> None:
    options = sandbox_security(pod(), PodUserNamespace(first_id=131072, length=65536), ()).namespace_options
    mapping = api.IDMapping(host_id=131072, container_id=0, length=65536)
    assert options.userns_options == api.UserNamespace(mode=Mode.POD, uids=[mapping], gids=[mapping])


def test_a_target_is_joined_only_when_containers_have_their_own_processes() -> None:
    inputs = SecurityInputs(user=ROOT, target_id="t1", facts=facts(), settings=settings())
    options = container_security(pod(), container(), inputs).namespace_options
    assert (options.pid, options.target_id) == (Mode.TARGET, "t1")
    options = container_security(pod(share_process_namespace=True), container(), inputs).namespace_options
    assert (options.pid, options.target_id) == (Mode.POD, "")


def test_a_sandbox_is_privileged_when_any_container_is() -> None:
    init = container("init", security_context=SecurityContext(privileged=True))
    assert sandbox_security(pod(init_containers=(init,)), None, ()).privileged
    assert not sandbox_security(pod(), None, ()).privileged
