"""Which volumes are mounted with an SELinux label."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podwright.agent.volumes.storage.plans import CsiPlan
from podwright.agent.volumes.storage.selinux_mounts import SelinuxMounts, mount_option
from podwright.errors import FailedPrecondition
from podwright.k8s.objects import Container, PodSecurityContext, SecurityContext, SELinuxOptions, VolumeMount
from podwright.linux.selinux import DEFAULT_CONTEXTS
from tests.agent.fakes.pods import container, pod
from tests.agent.volumes.storage.build import csi_driver

HERE = SelinuxMounts(file=DEFAULT_CONTEXTS.file)
PLAN = CsiPlan(
    name="disk",
    directory="/pods/x",
    uid="x",
    driver="host.csi.test",
    handle="h",
    access_modes=("ReadWriteOncePod",),
)
CAN = csi_driver(se_linux_mount=True)
POD_LEVEL = PodSecurityContext(se_linux_options=SELinuxOptions(level="s0:c1,c2"))
POD_LABEL = "system_u:object_r:container_file_t:s0:c1,c2"


def user(name: str = "main", *, volume: str = "data", **options: str) -> Container:
    """A container that mounts the volume, with SELinux options of its own if any are given."""
    context = SecurityContext(se_linux_options=SELinuxOptions(**options)) if options else None
    return container(name, volume_mounts=(VolumeMount(name=volume, mount_path="/data"),), security_context=context)


def label(
    *containers: Container,
    rules: SelinuxMounts = HERE,
    plan: CsiPlan = PLAN,
    driver: Any = CAN,
    context: PodSecurityContext | None = POD_LEVEL,
) -> str:
    return rules.label(pod(containers=containers or (user(),), security_context=context), "data", plan, driver)


def test_the_pods_label() -> None:
    assert label() == POD_LABEL
    assert mount_option(POD_LABEL) == 'context="system_u:object_r:container_file_t:s0:c1,c2"'


def test_a_containers_options_replace_the_pods() -> None:
    own = user(user="staff_u", type="special_t", level="s0:c7")
    assert label(own) == "staff_u:object_r:container_file_t:s0:c7"


def test_containers_without_the_volume_do_not_count() -> None:
    assert label(user(), user("b", volume="other", level="s0:c9")) == POD_LABEL


def test_containers_that_disagree() -> None:
    with pytest.raises(FailedPrecondition, match=r"multiple SELinux labels found: .*c1,c2,.*c9"):
        label(user(), user("b", level="s0:c9"))


WITHOUT: dict[str, dict[str, Any]] = {
    "no SELinux on the host": {"rules": SelinuxMounts()},
    "several pods may have it": {"plan": msgspec.structs.replace(PLAN, access_modes=("ReadWriteOnce",))},
    "another mode beside": {"plan": msgspec.structs.replace(PLAN, access_modes=("ReadWriteOncePod", "ReadOnlyMany"))},
    "a device": {"plan": msgspec.structs.replace(PLAN, is_block=True)},
    "a driver that cannot": {"driver": csi_driver()},
    "a driver of which nothing is known": {"driver": None},
    "no options": {"context": None},
    "no level": {"context": PodSecurityContext(se_linux_options=SELinuxOptions(type="t"))},
    "the pod's wish": {
        "context": PodSecurityContext(
            se_linux_options=SELinuxOptions(level="s0:c1,c2"), se_linux_change_policy="Recursive"
        )
    },
}


@pytest.mark.parametrize("case", WITHOUT.values(), ids=WITHOUT)
def test_volumes_that_are_mounted_without(case: dict[str, Any]) -> None:
    assert label(**case) == ""


def test_with_the_gate_all_access_modes_count() -> None:
    rules = SelinuxMounts(file=DEFAULT_CONTEXTS.file, all_access_modes=True)
    assert label(rules=rules, plan=msgspec.structs.replace(PLAN, access_modes=("ReadWriteMany",))) == POD_LABEL


def test_what_has_a_label_is_not_labelled_again() -> None:
    assert PLAN.mounted.selinux_relabel
    assert not msgspec.structs.replace(PLAN, label=POD_LABEL).mounted.selinux_relabel
