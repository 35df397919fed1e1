"""Rules for this host and for how the node registers: cgroups, user namespaces, labels, taints."""

from __future__ import annotations

from podwright.agent.config.flag_syntax import TAINT_EFFECTS
from podwright.agent.config.values import Values
from podwright.k8s.names import label_value_faults, qualified_name_faults

IDS_UNIT = 65536
# Labels of Kubernetes' own name space that a node may give itself (k8s.io/kubelet/pkg/apis/well_known_labels.go).
_OWN_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
    }
)
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")


def problems(values: Values, *, unified_cgroups: bool) -> list[str]:
    """What is wrong with the node's own settings on a host with or without cgroup v2."""
    found = [*_host(values, unified_cgroups=unified_cgroups), *_user_namespaces(values)]
    found += [problem for key, value in (values["--node-labels"] or {}).items() for problem in _label(key, value)]
    if values["--exit-on-lock-contention"] and not values["--lock-file"]:
        found.append("--exit-on-lock-contention needs --lock-file")
    return found + _taints(values)


def _host(values: Values, *, unified_cgroups: bool) -> list[str]:
    if unified_cgroups:
        return []
    if values["failCgroupV1"]:
        return ["this host has cgroup v1, which failCgroupV1 refuses; set it to false (--fail-cgroupv1=false)"]
    if values["singleProcessOOMKill"] is False:
        return ["singleProcessOOMKill must not be false on a host with cgroup v1"]
    return []


def _user_namespaces(values: Values) -> list[str]:
    ids = values["userNamespaces.idsPerPod"]
    if ids is None or (IDS_UNIT <= ids < 1 << 32 and ids % IDS_UNIT == 0):
        return []
    return [f"userNamespaces.idsPerPod {ids} must be a multiple of {IDS_UNIT} below {1 << 32}"]


def _label(key: str, value: str) -> list[str]:
    found = []
    if any(qualified_name_faults(key)) or any(label_value_faults(value)):
        found.append(f"--node-labels: {key}={value} is not a label")
    domain = key.partition("/")[0] if "/" in key else ""
    reserved = _is_below(domain, ("kubernetes.io", "k8s.io"))
    if reserved and key not in _OWN_LABELS and not _is_below(domain, _OWN_DOMAINS):
        allowed = ", ".join([*_OWN_DOMAINS, *sorted(_OWN_LABELS)])
        found.append(f"--node-labels: a node must not give itself {key}; of Kubernetes' own labels it may: {allowed}")
    return found


def _is_below(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)


def _taints(values: Values) -> list[str]:
    found = []
    for index, taint in enumerate(values["registerWithTaints"] or ()):
        place = f"registerWithTaints[{index}]"
        # CheckTaintValidation of pkg/util/taints
        if any(qualified_name_faults(taint.get("key", ""))) or any(label_value_faults(taint.get("value", ""))):
            found.append(
                f"{place}: {taint.get('key', '')}={taint.get('value', '')} is not a key and a value of a label"
            )
        if taint.get("effect", "") not in {"", *TAINT_EFFECTS}:
            found.append(f"{place}.effect {taint['effect']!r} must be one of {', '.join(TAINT_EFFECTS)}")
        if taint.get("timeAdded") is not None:
            found.append(f"{place}.timeAdded must not be set")
    return found
