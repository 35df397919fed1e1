"""Every rule of the kubelet's validation: a configuration that breaks it, and one beside it that does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from podwright.agent.config import gates
from podwright.agent.config.defaults import complete
from podwright.agent.config.reading import Reading
from podwright.agent.config.refusals import aggregated
from podwright.agent.config.settings import BY_KEY
from podwright.agent.config.validation import problems

# What a kubelet 1.36 says of a file with these fields and feature gates.
WORDS = [line.split("\t") for line in (Path(__file__).parent / "refusals.tsv").read_text().splitlines()]
SECOND_NS = 1_000_000_000
BOTH_SHUTDOWNS = {"shutdownGracePeriod": SECOND_NS, "shutdownGracePeriodByPodPriority": ({"priority": 0},)}


def _problems(values: dict[str, Any], chosen: dict[str, bool] | None = None, *, unified: bool = True) -> list[str]:
    """The values are as they are after reading; defaults are filled in first, as for a file."""
    states = gates.enabled(chosen or {})
    return problems(complete({}, states) | values, states, unified_cgroups=unified)


@pytest.mark.parametrize(("values", "gates", "message"), WORDS)
def test_the_words_are_the_kubelet_s(values: str, gates: str, message: str) -> None:
    given = {key: BY_KEY[key].kind.decode(raw, key, Reading()) for key, raw in json.loads(values).items()}
    assert aggregated(_problems(given, json.loads(gates))) == message


def test_the_defaults_are_valid() -> None:
    assert _problems({}) == []


@pytest.mark.parametrize(
    ("key", "bad", "good"),
    [
        ("nodeLeaseDurationSeconds", 0, 1),
        ("eventBurst", -1, 0),
        ("eventRecordQPS", -1, 0),
        ("healthzPort", 65536, 0),
        ("healthzPort", -1, 65535),
        ("readOnlyPort", -1, 0),
        ("port", 0, 1),
        ("port", 65536, 65535),
        ("cpuCFSQuotaPeriod", SECOND_NS // 1000 - 1, SECOND_NS // 1000),
        ("cpuCFSQuotaPeriod", SECOND_NS + 1, SECOND_NS),
        ("imageGCHighThresholdPercent", 101, 100),
        ("imageGCLowThresholdPercent", -1, 0),
        ("imageGCLowThresholdPercent", 85, 84),
        ("imageMinimumGCAge", -1, 0),
        ("imageMaximumGCAge", -1, 0),
        ("imageMaximumGCAge", 120 * SECOND_NS, 121 * SECOND_NS),
        ("iptablesDropBit", 32, 31),
        ("iptablesMasqueradeBit", -1, 0),
        ("kubeAPIBurst", -1, 0),
        ("kubeAPIQPS", -1, 0),
        ("nodeStatusMaxImages", -2, -1),
        ("maxOpenFiles", -1, 0),
        ("maxPods", -1, 0),
        ("oomScoreAdj", -1001, -1000),
        ("oomScoreAdj", 1001, 1000),
        ("podsPerCore", -1, 0),
        ("registryBurst", -1, 0),
        ("registryPullQPS", -1, 0),
        ("maxParallelImagePulls", 0, 1),
        ("maxParallelImagePulls", 2, None),
        ("runOnce", True, False),
        ("topologyManagerPolicy", "best", "best-effort"),
        ("topologyManagerScope", "node", "pod"),
        ("hairpinMode", "on", "none"),
        ("memoryReservationPolicy", "Some", "None"),
        ("memorySwap.swapBehavior", "UnlimitedSwap", "LimitedSwap"),
        ("cgroupDriver", "openrc", "systemd"),
        ("cpuManagerPolicy", "dynamic", "static"),
        ("memoryManagerPolicy", "static", "Static"),
        ("configMapAndSecretChangeDetectionStrategy", "Poll", "Get"),
        ("--exit-on-lock-contention", True, False),
        ("authorization.mode", "Never", "AlwaysAllow"),
        ("tlsMinVersion", "TLS13", "VersionTLS13"),
        ("shutdownGracePeriod", SECOND_NS - 1, SECOND_NS),
        ("shutdownGracePeriodCriticalPods", SECOND_NS, 0),
        ("crashLoopBackOff.maxContainerRestartPeriod", SECOND_NS - 1, SECOND_NS),
        ("crashLoopBackOff.maxContainerRestartPeriod", 301 * SECOND_NS, 300 * SECOND_NS),
        ("crashLoopBackOff.maxContainerRestartPeriod", None, 2 * SECOND_NS),
        ("enforceNodeAllocatable", ("pods", "pods"), ("pods",)),
        ("enforceNodeAllocatable", ("none", "pods"), ("none",)),
        ("enforceNodeAllocatable", ("everything",), ()),
        ("enforceNodeAllocatable", ("system-reserved",), None),
        ("enforceNodeAllocatable", ("kube-reserved-compressible",), None),
        ("systemCgroups", "/system", ""),
        ("reservedSystemCPUs", "0-3,x", "0-3,7"),
        ("reservedSystemCPUs", "3-0", "3-3"),
        ("reservedSystemCPUs", "0,,1", "0"),
        ("reservedMemory", ({"numaNode": 0, "limits": {"cpu": "1"}},), ({"numaNode": 0, "limits": {"memory": "1"}},)),
        ("reservedMemory", ({"limits": {"memory": "0"}},), ({"limits": {"hugepages-2Mi": "2Mi"}},)),
        ("reservedMemory", ({"limits": {"memory": "1"}}, {"limits": {"memory": "2"}}), None),
        ("memoryThrottlingFactor", 0.0, 1.0),
        ("memoryThrottlingFactor", 1.1, None),
        ("containerRuntimeEndpoint", "", "unix:///run/x.sock"),
        ("containerLogMaxWorkers", 0, 1),
        ("containerLogMonitorInterval", 3 * SECOND_NS - 1, 3 * SECOND_NS),
        ("containerLogMaxFiles", 1, 2),
        ("podLogsDir", "logs", "/"),
        ("podLogsDir", "/var/log/", "/var/log"),
        ("podLogsDir", "/var/../log", "/var/..log"),
        ("podLogsDir", "/v\u00e4r", "/var"),
        ("logging.flushFrequency", -1, 1),
        ("logging.format", "xml", "json"),
        ("logging.verbosity", 1 << 31, (1 << 31) - 1),
        ("logging.vmodule", ({"filePattern": "a,b"},), ({"filePattern": "a*", "verbosity": 2},)),
        ("logging.vmodule", ({"verbosity": 2},), ()),
        ("logging.vmodule", ({"filePattern": "a", "verbosity": 1 << 31},), None),
        ("logging.options.text.splitStream", True, False),
        ("logging.options.json.infoBufferSize", "1Ki", "0Ki"),
        ("tracing.samplingRatePerMillion", 1_000_001, 1_000_000),
        ("tracing.endpoint", "https://localhost:4317", "localhost:4317"),
        ("tracing.endpoint", "ftp://x", "unix:///run/x.sock"),
        ("imagePullCredentialsVerificationPolicy", "Sometimes", "AlwaysVerify"),
        ("preloadedImagesVerificationAllowlist", ("a/b",), ()),
        ("userNamespaces.idsPerPod", 65535, 65536),
        ("userNamespaces.idsPerPod", 65537, None),
        ("userNamespaces.idsPerPod", 1 << 32, (1 << 32) - 65536),
        ("registerWithTaints", ({"key": ""},), ({"key": "a"},)),
        ("registerWithTaints", ({"key": "a", "effect": "Never"},), ({"key": "a", "effect": "NoExecute"},)),
        ("registerWithTaints", ({"key": "a", "value": "/"},), ({"key": "x.io/a", "value": "b"},)),
        ("registerWithTaints", ({"key": "a", "timeAdded": "2020-01-01T00:00:00Z"},), None),
        ("--node-labels", {"kubernetes.io/role": "x"}, {"kubernetes.io/hostname": "x"}),
        ("--node-labels", {"a.k8s.io/b": ""}, {"node.kubernetes.io/b": "", "a.node.kubernetes.io/b": ""}),
        ("--node-labels", {"a b": ""}, {"a": ""}),
        ("--node-labels", {"a": "b c"}, {"a": "b-c"}),
    ],
)
def test_one_field(key: str, bad: Any, good: Any) -> None:
    assert len(_problems({key: bad})) == 1
    assert _problems({key: good}) == []


@pytest.mark.parametrize(
    ("values", "chosen", "problem"),
    [
        ({"cpuCFSQuotaPeriod": SECOND_NS}, {"CustomCPUCFSQuotaPeriod": False}, "feature gate CustomCPUCFSQuotaPeriod"),
        ({"shutdownGracePeriod": SECOND_NS}, {"GracefulNodeShutdown": False}, "feature gate GracefulNodeShutdown"),
        (
            {"shutdownGracePeriodByPodPriority": ({"priority": 0},)},
            {"GracefulNodeShutdownBasedOnPodPriority": False},
            "feature gate GracefulNodeShutdownBasedOnPodPriority",
        ),
        (BOTH_SHUTDOWNS, {}, "Cannot specify both"),
        (
            {"crashLoopBackOff.maxContainerRestartPeriod": SECOND_NS},
            {"KubeletCrashLoopBackOffMax": False},
            "FeatureGate KubeletCrashLoopBackOffMax",
        ),
        (
            {"imagePullCredentialsVerificationPolicy": "AlwaysVerify"},
            {"KubeletEnsureSecretPulledImages": False},
            "KubeletEnsureSecretPulledImages feature gate",
        ),
        ({"memoryReservationPolicy": "TieredReservation"}, {}, "MemoryQoS feature gate"),
        ({"serverTLSBootstrap": True}, {"RotateKubeletServerCertificate": False}, "RotateKubeletServerCertificate"),
        ({"enableSystemLogQuery": True, "enableSystemLogHandler": False}, {}, "enableSystemLogHandler is required"),
        ({"enableSystemLogQuery": True}, {"NodeLogQuery": False}, "NodeLogQuery feature gate"),
        (
            {"enforceNodeAllocatable": ("pods",), "cgroupsPerQOS": False},
            {},
            "cgroupsPerQOS (--cgroups-per-qos) must be set",
        ),
        ({"reservedSystemCPUs": "0", "kubeReservedCgroup": "/k"}, {}, "can't use reservedSystemCPUs"),
        ({"logging.format": "json", "logging.vmodule": ({"filePattern": "a"},)}, {}, "Only supported for text"),
    ],
)
def test_fields_and_gates_together(values: dict[str, Any], chosen: dict[str, bool], problem: str) -> None:
    found = _problems(values, chosen)
    assert len(found) == 1
    assert problem in found[0]


def test_both_ways_of_enforcing_a_reservation_exclude_each_other() -> None:
    levels = ("system-reserved", "system-reserved-compressible")
    found = _problems({"enforceNodeAllocatable": levels, "systemReservedCgroup": "/s"})
    assert len(found) == 1
    assert 'both "system-reserved" and "system-reserved-compressible" cannot be specified together' in found[0]


@pytest.mark.parametrize(
    ("pattern", "valid"),
    [
        ("registry.local/team/app", True),
        ("registry.local:5000/app", True),
        ("registry.local/*", True),
        ("*", False),
        ("/*", False),
        ("", False),
        (" a", False),
        ("a/*/b", False),
        ("registry.local/app:1", False),
        ("registry.local/app@sha256:00", False),
    ],
)
def test_patterns_of_images(pattern: str, valid: bool) -> None:
    values = {
        "imagePullCredentialsVerificationPolicy": "NeverVerifyAllowlistedImages",
        "preloadedImagesVerificationAllowlist": (pattern,),
    }
    assert (_problems(values) == []) is valid


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "--fail-cgroupv1=false"),
        ({"failCgroupV1": False}, ""),
        ({"failCgroupV1": False, "singleProcessOOMKill": True}, ""),
        ({"failCgroupV1": False, "singleProcessOOMKill": False}, "singleProcessOOMKill"),
    ],
)
def test_a_host_with_cgroup_v1(values: dict[str, Any], problem: str) -> None:
    found = _problems(values, unified=False)
    assert problem in " ".join(found)
    assert len(found) == bool(problem)


def test_a_negative_time_to_shut_down_is_too_short_and_shorter_than_that_of_critical_pods() -> None:
    assert len(_problems({"shutdownGracePeriod": -1})) == 2


def test_all_problems_are_found_at_once() -> None:
    assert len(_problems({"port": 0, "maxPods": -1, "hairpinMode": "on", "containerLogMaxFiles": 0})) == 4
