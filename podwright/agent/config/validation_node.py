"""Rules for this host and for how the node registers: cgroups, user namespaces, labels, taints."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.config.flag_syntax import TAINT_EFFECTS
from podwright.agent.config.refusals import UNSET, invalid
from podwright.agent.config.values import Values
from podwright.k8s.names import label_value_faults, qualified_name_faults

IDS_UNIT = 65536
_MOST_IDS = (1 << 32) - 1
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
_ALLOWED_LABELS = (
    f"--node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix ({', '.join(_OWN_DOMAINS)}) or "
    f"be in the specifically allowed set ({', '.join(sorted(_OWN_LABELS))})"
)
_CGROUP_V1 = (
    "kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is unsupported and will be removed "
    "in a future release; set failCgroupV1 to false (--fail-cgroupv1=false)"
)


def problems(values: Values, *, unified_cgroups: bool) -> list[str]:
    """The problems of the node's own settings on a host with or without cgroup v2."""
    found = [*_host(values, unified_cgroups=unified_cgroups), *_user_namespaces(values), *_taints(values)]
    found += [f"failed to validate kubelet flags: {problem}" for problem in _labels(values["--node-labels"] or {})]
    if values["--exit-on-lock-contention"] and not values["--lock-file"]:
        found.append("cannot exit on lock file contention: no lock file specified (--lock-file)")
    return found


def _host(values: Values, *, unified_cgroups: bool) -> list[str]:
    if unified_cgroups:
        return []
    if values["failCgroupV1"]:
        return [_CGROUP_V1]
    if values["singleProcessOOMKill"] is False:
        return [invalid("singleProcessOOMKill must not be explicitly set to false when using cgroup v1")]
    return []


def _user_namespaces(values: Values) -> list[str]:
    ids, field = values["userNamespaces.idsPerPod"], "userNamespaces.idsPerPod"
    if ids is None:
        return []
    if ids < IDS_UNIT:
        return [invalid(f"{field} must not be less than {IDS_UNIT}")]
    if ids % IDS_UNIT:
        return [invalid(f"{field} must be a multiple of {IDS_UNIT}")]
    return [invalid(f"{field} must not be more than {_MOST_IDS}")] if ids > _MOST_IDS else []


def _labels(labels: Mapping[str, str]) -> list[str]:
    """The problems of --node-labels. Like a kubelet, names those of one kind only."""
    unknown = sorted(key for key in labels if not _may_have(key))
    if unknown:
        told = f"unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [{' '.join(unknown)}]"
        return [f"{told}; {_ALLOWED_LABELS}"]
    faults = [(key, list(qualified_name_faults(key))) for key in labels]
    faults += [(value, list(label_value_faults(value))) for value in labels.values()]
    listed = [f"'{text}' - {', '.join(found)}" for text, found in faults if found]
    return [f"invalid node labels: {'; '.join(listed)}"] if listed else []


def _may_have(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    reserved = _is_below(domain, ("kubernetes.io", "k8s.io"))
    return not reserved or key in _OWN_LABELS or _is_below(domain, _OWN_DOMAINS)


def _is_below(domain: str, parents: tuple[str, ...]) -> bool:
    return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)


def _taints(values: Values) -> list[str]:
    found = []
    for index, taint in enumerate(values["registerWithTaints"] or ()):
        key, value, effect = (taint.get(field, "") for field in ("key", "value", "effect"))
        # CheckTaintValidation of pkg/util/taints
        faults = [f"key: {fault}" for fault in qualified_name_faults(key)]
        faults += [f"value: {fault}" for fault in label_value_faults(value)]
        if effect not in {"", *TAINT_EFFECTS}:
            faults.append(f"effect: must be one of {', '.join(TAINT_EFFECTS)}")
        if faults:
            shown = f"{{{key} {value} {effect} {taint.get('timeAdded') or UNSET}}}"
            found.append(f"invalid taint: {shown}; registerWithTaints[{index}].{'; '.join(faults)}")
        if taint.get("timeAdded") is not None:
            found.append(invalid("taint.TimeAdded is not nil"))
    return found
