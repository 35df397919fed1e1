"""What a pod may use, and in which words it may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.volumes.storage import binding
from podwright.errors import FailedPrecondition
from podwright.k8s.objects import (
    EphemeralVolumeSource,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    OwnerReference,
    PersistentVolume,
    PersistentVolumeClaim,
    Volume,
    VolumeNodeAffinity,
)
from tests.agent.fakes.pods import pod
from tests.agent.volumes.storage.build import MemoryStorage, persistent, pod_of

DELETED = datetime(2026, 1, 1, tzinfo=UTC)
Change = Callable[[PersistentVolumeClaim], PersistentVolumeClaim]


def bound(**spec: Any) -> tuple[PersistentVolumeClaim, PersistentVolume]:
    storage = MemoryStorage()
    storage.bind(persistent(**spec))
    return storage.claims["disk"], storage.volumes["disk"]


def _with(part: str, **fields: Any) -> Change:
    return lambda claim: replace(claim, **{part: replace(getattr(claim, part), **fields)})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_with("status", phase="Pending"), "PVC is not bound"),
        (_with("status", phase="Lost"), "PVC is not bound"),
        (_with("spec", volume_name=""), "PVC has empty pvc.Spec.VolumeName"),
        (_with("metadata", deletion_timestamp=DELETED), "PVC is being deleted"),
        (_with("metadata", deletion_timestamp=DELETED, finalizers=("x",)), "PVC is being deleted"),
        (_with("metadata", deletion_timestamp=DELETED, finalizers=(binding.PROTECTION,)), ""),
        (_with("metadata", finalizers=()), ""),
    ],
)
def test_a_claim_has_to_be_bound_and_to_stay(change: Change, problem: str) -> None:
    claim = change(bound()[0])
    if not problem:
        binding.check_claim(claim)
        return
    with pytest.raises(FailedPrecondition, match=problem):
        binding.check_claim(claim)


def test_a_volume_has_to_be_for_this_very_claim() -> None:
    claim, volume = bound()
    binding.check_bound(volume, claim)
    with pytest.raises(FailedPrecondition, match=r"does not point to claim\.UID new"):
        binding.check_bound(volume, _with("metadata", uid="new")(claim))
    with pytest.raises(FailedPrecondition, match=r"nil pv\.Spec\.ClaimRef"):
        binding.check_bound(persistent(), claim)


def test_an_ephemeral_claim_has_a_name_of_its_own_and_an_owner() -> None:
    volume, subject = Volume(name="scratch", ephemeral=EphemeralVolumeSource()), pod()
    assert binding.claim_name(subject, volume) == "web-scratch"
    assert binding.claim_name(subject, Volume(name="x")) == ""
    claim, _ = bound()
    owner = OwnerReference(api_version="v1", kind="Pod", name="web", uid=subject.metadata.uid, controller=True)
    binding.check_owner(_with("metadata", owner_references=(owner,))(claim), subject)
    for other in (replace(owner, uid="another"), replace(owner, controller=False)):
        with pytest.raises(FailedPrecondition, match=r"was not created for pod default/web \(pod is not owner\)"):
            binding.check_owner(_with("metadata", owner_references=(other,))(claim), subject)


@pytest.mark.parametrize(
    ("block", "mode", "where"), [(True, "Filesystem", "volumeDevices"), (False, "Block", "volumeMounts")]
)
def test_a_mode_has_to_be_that_of_the_volume(block: bool, mode: str, where: str) -> None:  # a table
    subject = pod_of("disk", block=block)
    with pytest.raises(FailedPrecondition, match=f"volume disk has volumeMode {mode}, but is specified in {where}"):
        binding.check_use(subject, subject.spec.volumes[0], mode)
    binding.check_use(subject, subject.spec.volumes[0], "Block" if block else "Filesystem")


@pytest.mark.parametrize(
    ("values", "is_here"), [(("r1",), True), (("r2", "r1"), True), (("r2",), False)], ids=["mine", "one of", "another"]
)
def test_a_volume_may_be_elsewhere(values: tuple[str, ...], is_here: bool) -> None:  # a table
    term = NodeSelectorTerm(match_expressions=(NodeSelectorRequirement(key="rack", operator="In", values=values),))
    volume = persistent(node_affinity=VolumeNodeAffinity(required=NodeSelector(node_selector_terms=(term,))))
    if is_here:
        binding.check_node(volume, "node-a", {"rack": "r1"})
        return
    with pytest.raises(FailedPrecondition, match="no matching NodeSelectorTerms"):
        binding.check_node(volume, "node-a", {"rack": "r1"})


def test_a_volume_may_demand_a_group() -> None:
    volume = persistent()
    assert binding.gid_of(volume) is None
    for text, gid in {"42": 42, "x": None, "-1": None}.items():
        metadata = replace(volume.metadata, annotations={binding.GID_ANNOTATION: text})
        assert binding.gid_of(replace(volume, metadata=metadata)) == gid
