"""The file `cpu_manager_state`: assignments to JSON and back, in the kubelet's second format. Pure."""

from __future__ import annotations

import json

import msgspec

from podwright.agent.resources.cpus.assignments import CpuAssignments
from podwright.agent.resources.state_files import checksum, go_map
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux.cpu_lists import parse, spelt

FILE = "cpu_manager_state"
Entries = dict[str, dict[str, str]]  # CPU lists by container, by pod


class _CpuDocument(msgspec.Struct, frozen=True, rename={"policy": "policyName", "shared": "defaultCpuSet"}):
    policy: str = ""
    shared: str = ""
    entries: Entries = {}
    checksum: int = 0  # 0 is not checked: so are files from before there were checksums


def encode(policy: str, assignments: CpuAssignments) -> bytes:
    """The file's content."""
    shared = spelt(assignments.shared)
    entries = {
        uid: {name: spelt(cpus) for name, cpus in sorted(pod.items())} for uid, pod in sorted(assignments.own.items())
    }
    document = {
        "policyName": policy,
        "defaultCpuSet": shared,
        **({"entries": entries} if entries else {}),
        "checksum": checksum(_go_text(policy, shared, entries)),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def decode(content: bytes, policy: str) -> CpuAssignments:
    """The assignments of a file that the agent of this `policy` left. Raises FailedPrecondition."""
    try:
        found = msgspec.json.decode(content, type=_CpuDocument)
    except msgspec.MsgspecError as failure:
        raise FailedPrecondition(f"it is no checkpoint: {failure}") from failure
    if found.checksum and found.checksum != checksum(_go_text(found.policy, found.shared, found.entries)):
        raise FailedPrecondition("checkpoint is corrupted: its checksum does not fit")
    if found.policy != policy:
        raise FailedPrecondition(f'configured policy "{policy}" differs from state checkpoint policy "{found.policy}"')
    try:
        return CpuAssignments(
            shared=parse(found.shared),
            own={uid: {name: parse(text) for name, text in pod.items()} for uid, pod in found.entries.items()},
        )
    except InvalidArgument as failure:
        raise FailedPrecondition(f"could not parse a CPU set: {failure.message}") from failure


def _go_text(policy: str, shared: str, entries: Entries) -> str:
    return (
        f"(*state.CPUManagerCheckpoint){{PolicyName:(string){policy} DefaultCPUSet:(string){shared} "
        f"Entries:(map[string]map[string]string){go_map(entries, lambda pod: go_map(pod, str))} "
        "Checksum:(checksum.Checksum)0}"
    )
