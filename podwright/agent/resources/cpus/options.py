"""`cpuManagerPolicyOptions`. Pure. Names and rules are the kubelet's (cpumanager/policy_options.go of 1.36)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.agent.config.flag_syntax import parse_boolean
from podwright.agent.resources.cpus.layout import CpuLayout
from podwright.agent.resources.topology.policies import SINGLE_NODE
from podwright.errors import FailedPrecondition, InvalidArgument

ALPHA_GATE, BETA_GATE = "CPUManagerPolicyAlphaOptions", "CPUManagerPolicyBetaOptions"


class CpuOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the static policy.

    `whole_cores`: containers never share a core. `across_nodes`: equal shares from NUMA nodes. `by_socket`: the CPUs
    of a socket count as aligned. `across_cores`: threads of different cores. `strict`: only the system runs on
    reserved CPUs. `by_cache`: prefer CPUs that share a last-level cache.
    """

    whole_cores: bool = False
    across_nodes: bool = False
    by_socket: bool = False
    across_cores: bool = False
    strict: bool = False
    by_cache: bool = False


_NAMES = {
    "full-pcpus-only": "whole_cores",
    "distribute-cpus-across-numa": "across_nodes",
    "align-by-socket": "by_socket",
    "distribute-cpus-across-cores": "across_cores",
    "strict-cpu-reservation": "strict",
    "prefer-align-cpus-by-uncorecache": "by_cache",
}
_GATES = {
    "align-by-socket": ALPHA_GATE,
    "distribute-cpus-across-cores": ALPHA_GATE,
    "distribute-cpus-across-numa": BETA_GATE,
}
_EXCLUSIVE = (
    ("full-pcpus-only", "distribute-cpus-across-cores"),
    ("distribute-cpus-across-numa", "distribute-cpus-across-cores"),
    ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-cores"),
    ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-numa"),
)


def read_cpu_options(texts: Mapping[str, str], gates: Mapping[str, bool]) -> CpuOptions:
    """The configured options. Raises InvalidArgument."""
    for name in texts:
        if name not in _NAMES:
            raise InvalidArgument(
                f"cpuManagerPolicyOptions: unknown CPU Manager Policy option: {name!r}",
                hint=f"there are {', '.join(_NAMES)}",
            )
        gate = _GATES.get(name)
        if gate is not None and not gates[gate]:
            raise InvalidArgument(f"cpuManagerPolicyOptions: {name} is not enabled", hint=f"enable the gate {gate}")
    chosen = {name for name, text in texts.items() if _boolean(name, text)}
    for one, other in _EXCLUSIVE:
        if {one, other} <= chosen:
            raise InvalidArgument(
                f"cpuManagerPolicyOptions: static policy options {one} and {other} can not be used at the same time"
            )
    return CpuOptions(**{_NAMES[name]: True for name in chosen})


def _boolean(name: str, text: str) -> bool:
    try:
        return parse_boolean(text)
    except InvalidArgument as failure:
        raise InvalidArgument(f"cpuManagerPolicyOptions: {name}: {failure.message}") from failure


def check_machine(options: CpuOptions, layout: CpuLayout, topology_policy: str) -> None:
    """Raise FailedPrecondition for options that this machine or the topology manager's policy does not allow."""
    if not options.by_socket:
        return
    if topology_policy == SINGLE_NODE:
        raise FailedPrecondition(
            f"Topology manager {SINGLE_NODE} policy is incompatible with CPUManager align-by-socket policy option",
            hint="choose another topologyManagerPolicy",
        )
    if layout.count("socket") > layout.count("node"):
        raise FailedPrecondition(
            "align-by-socket is not compatible with hardware that has more sockets than NUMA nodes",
            hint="unset it in cpuManagerPolicyOptions",
        )
