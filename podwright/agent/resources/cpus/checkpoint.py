"""The file `cpu_manager_state`: assignments to JSON and back, in the kubelet's second and third format. Pure.

The third format also has the CPUs of whole pods. A kubelet writes it if the gate PodLevelResourceManagers is on, else
the second.
"""

from __future__ import annotations

import json

import msgspec

from podwright.agent.resources.cpus.assignments import CpuAssignments
from podwright.agent.resources.state_files import checksum, go_map
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux.cpu_lists import parse, spelt

FILE = "cpu_manager_state"
Entries = dict[str, dict[str, str]]  # CPU lists by container, by pod


_NAMES = {"policy": "policyName", "shared": "defaultCpuSet", "pods": "podEntries"}


class _PodCpus(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    cpu_set: str = ""


class _CpuDocument(msgspec.Struct, frozen=True, rename=_NAMES):
    policy: str = ""
    shared: str = ""
    entries: Entries = {}
    pods: dict[str, _PodCpus] = {}
    checksum: int = 0  # 0 is not checked, as in files from before checksums


def encode(policy: str, assignments: CpuAssignments, *, by_pod: bool = False) -> bytes:
    """The file's content. `by_pod`: in the third format."""
    shared = spelt(assignments.shared)
    entries = {
        uid: {name: spelt(cpus) for name, cpus in sorted(pod.items())} for uid, pod in sorted(assignments.own.items())
    }
    pods = {uid: spelt(cpus) for uid, cpus in sorted(assignments.pods.items())} if by_pod else None
    document = {
        "policyName": policy,
        "defaultCpuSet": shared,
        **({"entries": entries} if entries else {}),
        **({"podEntries": {uid: {"cpuSet": text} for uid, text in pods.items()}} if pods else {}),
        "checksum": checksum(_go_text(policy, shared, entries, pods)),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def decode(content: bytes, policy: str) -> CpuAssignments:
    """The assignments of a file that the agent of this `policy` left. Raises FailedPrecondition."""
    try:
        found = msgspec.json.decode(content, type=_CpuDocument)
    except msgspec.MsgspecError as failure:
        raise FailedPrecondition(f"it is not a checkpoint: {failure}") from failure
    pods = {uid: entry.cpu_set for uid, entry in found.pods.items()}
    try:
        known = [_go_text(found.policy, found.shared, found.entries, pods)]
    except InvalidArgument as failure:
        raise FailedPrecondition(f"could not parse a CPU set: {failure.message}") from failure
    if not pods:
        known.append(_go_text(found.policy, found.shared, found.entries))
    if found.checksum and found.checksum not in map(checksum, known):
        raise FailedPrecondition("checkpoint is corrupted: its checksum does not fit")
    if found.policy != policy:
        raise FailedPrecondition(f'configured policy "{policy}" differs from state checkpoint policy "{found.policy}"')
    try:
        return CpuAssignments(
            shared=parse(found.shared),
            own={uid: {name: parse(text) for name, text in pod.items()} for uid, pod in found.entries.items()},
            pods={uid: parse(text) for uid, text in pods.items()},
        )
    except InvalidArgument as failure:
        raise FailedPrecondition(f"could not parse a CPU set: {failure.message}") from failure


def _go_text(policy: str, shared: str, entries: Entries, pods: dict[str, str] | None = None) -> str:
    """The text for the checksum.

    `pods` None: of the second format. Raises InvalidArgument for an invalid list of CPUs.
    """
    whole = "" if pods is None else f"PodEntries:(state.PodCPUAssignments){go_map(pods, _go_pod)} "
    return (
        f"(*state.CPUManagerCheckpoint){{PolicyName:(string){policy} DefaultCPUSet:(string){shared} "
        f"Entries:(map[string]map[string]string){go_map(entries, lambda pod: go_map(pod, str))} {whole}"
        "Checksum:(checksum.Checksum)0}"
    )


def _go_pod(text: str) -> str:
    cpus = go_map(dict.fromkeys(parse(text), ""), lambda _: "{}")
    return f"{{CPUSet:(cpuset.CPUSet){{elems:(map[int]struct {{}}){cpus}}}}}"
