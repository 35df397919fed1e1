"""What a kubelet refuses (pkg/kubelet/apis/config/validation): ranges, choices, and fields that exclude each other.

Every rule is a function of the complete values and the feature gates, and gives the problems that it finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from podwright.agent.config import validation_eviction, validation_images, validation_managers, validation_node
from podwright.agent.config.go_duration import SECOND_NS, format_duration
from podwright.agent.config.settings import BY_KEY
from podwright.agent.config.values import Values
from podwright.k8s.quantity import parse_nano

Gates = Mapping[str, bool]

_PORT = (1, 65535)
_LOWEST = {
    "nodeLeaseDurationSeconds": 1,
    "eventBurst": 0,
    "eventRecordQPS": 0,
    "imageMinimumGCAge": 0,
    "imageMaximumGCAge": 0,
    "kubeAPIBurst": 0,
    "kubeAPIQPS": 0,
    "nodeStatusMaxImages": -1,
    "maxOpenFiles": 0,
    "maxPods": 0,
    "podsPerCore": 0,
    "registryBurst": 0,
    "registryPullQPS": 0,
    "maxParallelImagePulls": 1,
    "containerLogMaxWorkers": 1,
    "containerLogMonitorInterval": 3 * SECOND_NS,
    "containerLogMaxFiles": 2,
    "logging.flushFrequency": 1,
}
_RANGES = {
    "imageGCHighThresholdPercent": (0, 100),
    "imageGCLowThresholdPercent": (0, 100),
    "iptablesDropBit": (0, 31),
    "iptablesMasqueradeBit": (0, 31),
    "oomScoreAdj": (-1000, 1000),
    "port": _PORT,
    "logging.verbosity": (0, (1 << 31) - 1),
    "tracing.samplingRatePerMillion": (0, 1_000_000),
}
_CHOICES = {
    "topologyManagerPolicy": ("none", "best-effort", "restricted", "single-numa-node"),
    "topologyManagerScope": ("container", "pod"),
    "hairpinMode": ("promiscuous-bridge", "hairpin-veth", "none"),
    "memoryReservationPolicy": ("None", "TieredReservation"),
    "memorySwap.swapBehavior": ("", "NoSwap", "LimitedSwap"),
    "logging.format": ("text", "json"),
    # The kubelet refuses other values of these when it starts, not when it validates.
    "cpuManagerPolicy": ("none", "static"),
    "memoryManagerPolicy": ("None", "Static"),
    "configMapAndSecretChangeDetectionStrategy": ("Get", "Cache", "Watch"),
    "cgroupDriver": ("cgroupfs", "systemd"),
    "authorization.mode": ("AlwaysAllow", "Webhook"),
    "tlsMinVersion": ("", "VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"),
}


def problems(values: Values, gates: Gates, *, unified_cgroups: bool) -> list[str]:
    """Everything that is wrong. `unified_cgroups` tells whether this host has cgroup v2."""
    found = [*_out_of_range(values), *_not_a_choice(values)]
    for rule in (_runtime, _server, _shutdown, _back_off, _logs, _logging, _tracing):
        found += rule(values, gates)
    found += validation_images.problems(values, gates)
    found += validation_eviction.problems(values)
    found += validation_managers.problems(values)
    return found + validation_node.problems(values, unified_cgroups=unified_cgroups)


def named(key: str) -> str:
    """How messages name a field: with its flag, if it has one."""
    flag = BY_KEY[key].flag
    return f"{key} (--{flag})" if flag else key


def written(key: str, value: Any) -> str:
    """The value as a file has it."""
    return str(BY_KEY[key].kind.encode(value)) if value is not None else "nothing"


def _out_of_range(values: Values) -> list[str]:
    found = []
    for key, low in _LOWEST.items():
        if values[key] is not None and values[key] < low:
            found.append(f"{named(key)} {written(key, values[key])} must be at least {written(key, low)}")
    for key, (low, high) in _RANGES.items():
        if values[key] is not None and not low <= values[key] <= high:
            found.append(f"{named(key)} {values[key]} must be from {low} to {high}")
    low, high = _PORT
    return found + [
        f"{named(key)} {values[key]} must be from {low} to {high}, or 0 for none"
        for key in ("healthzPort", "readOnlyPort")
        if values[key] and not low <= values[key] <= high
    ]


def _not_a_choice(values: Values) -> list[str]:
    return [
        f"{named(key)} {values[key]!r} must be one of {', '.join(repr(choice) for choice in choices)}"
        for key, choices in _CHOICES.items()
        if values[key] not in choices
    ]


def _runtime(values: Values, gates: Gates) -> list[str]:
    found = []
    period = values["cpuCFSQuotaPeriod"]
    if not gates["CustomCPUCFSQuotaPeriod"] and period != SECOND_NS // 10:
        found.append(f"{named('cpuCFSQuotaPeriod')} needs the feature gate CustomCPUCFSQuotaPeriod")
    if gates["CustomCPUCFSQuotaPeriod"] and not SECOND_NS // 1000 <= period <= SECOND_NS:
        found.append(f"{named('cpuCFSQuotaPeriod')} {format_duration(period)} must be from 1ms to 1s")
    if not values["containerRuntimeEndpoint"]:
        found.append(f"{named('containerRuntimeEndpoint')} must not be empty")
    if values["runOnce"]:
        found.append(f"{named('runOnce')} is no longer supported")
    throttling = values["memoryThrottlingFactor"]
    if throttling is not None and not 0 < throttling <= 1:
        found.append(f"memoryThrottlingFactor {throttling} must be greater than 0 and at most 1")
    if values["memoryReservationPolicy"] == "TieredReservation" and not gates["MemoryQoS"]:
        found.append("memoryReservationPolicy TieredReservation needs the feature gate MemoryQoS")
    return found


def _server(values: Values, gates: Gates) -> list[str]:
    found = []
    if values["serverTLSBootstrap"] and not gates["RotateKubeletServerCertificate"]:
        found.append(f"{named('serverTLSBootstrap')} needs the feature gate RotateKubeletServerCertificate")
    if values["enableSystemLogQuery"] and not gates["NodeLogQuery"]:
        found.append("enableSystemLogQuery needs the feature gate NodeLogQuery")
    if values["enableSystemLogQuery"] and not values["enableSystemLogHandler"]:
        found.append("enableSystemLogQuery needs enableSystemLogHandler")
    return found


def _shutdown(values: Values, gates: Gates) -> list[str]:
    found = []
    whole, critical = values["shutdownGracePeriod"], values["shutdownGracePeriodCriticalPods"]
    if gates["GracefulNodeShutdown"]:
        if critical > whole:
            found.append(
                f"shutdownGracePeriodCriticalPods {format_duration(critical)} must not be longer than "
                f"shutdownGracePeriod {format_duration(whole)}"
            )
        found += [
            f"{key} {format_duration(values[key])} must be 0 or at least 1s"
            for key in ("shutdownGracePeriod", "shutdownGracePeriodCriticalPods")
            if values[key] and values[key] < SECOND_NS
        ]
    elif whole > 0 or critical > 0:
        found.append("shutdownGracePeriod and shutdownGracePeriodCriticalPods need the gate GracefulNodeShutdown")
    if values["shutdownGracePeriodByPodPriority"]:
        if not gates["GracefulNodeShutdownBasedOnPodPriority"]:
            found.append("shutdownGracePeriodByPodPriority needs the gate GracefulNodeShutdownBasedOnPodPriority")
        elif whole > 0 or critical > 0:
            found.append("shutdownGracePeriodByPodPriority and shutdownGracePeriod exclude each other")
    return found


def _back_off(values: Values, gates: Gates) -> list[str]:
    key = "crashLoopBackOff.maxContainerRestartPeriod"
    period = values[key]
    if not gates["KubeletCrashLoopBackOffMax"]:
        return [f"{key} needs the feature gate KubeletCrashLoopBackOffMax"] if period is not None else []
    if period is None:
        return [f"{key} must be set while the feature gate KubeletCrashLoopBackOffMax is on"]
    # Go compares whole milliseconds.
    in_range = 1000 <= int(period / 1_000_000) <= 300_000
    return [] if in_range else [f"{key} {format_duration(period)} must be from 1s to 5m"]


def _logs(values: Values, _gates: Gates) -> list[str]:
    folder = values["podLogsDir"]
    if not folder.startswith("/"):
        return [f"podLogsDir {folder!r} must be an absolute path"]
    if not folder.isascii():
        return [f"podLogsDir {folder!r} must hold ASCII characters only"]
    parts = folder.split("/")[1:]
    clean = folder == "/" or not {"", ".", ".."} & set(parts)
    return [] if clean else [f"podLogsDir {folder!r} must have no empty part, . or .. and no / at its end"]


def _logging(values: Values, gates: Gates) -> list[str]:
    found = []
    for form in ("text", "json"):
        split, buffer = f"logging.options.{form}.splitStream", f"logging.options.{form}.infoBufferSize"
        used = [key for key, on in ((split, values[split]), (buffer, parse_nano(values[buffer]))) if on]
        if not gates["LoggingAlphaOptions"]:
            found += [f"{named(key)} needs the feature gate LoggingAlphaOptions" for key in used]
    modules = values["logging.vmodule"] or ()
    if modules and values["logging.format"] != "text":
        found.append("logging.vmodule works with logging.format text only")
    for index, module in enumerate(modules):
        pattern = module.get("filePattern", "")
        if not pattern or "=" in pattern or "," in pattern:
            found.append(f"logging.vmodule[{index}].filePattern {pattern!r} must not be empty nor hold = or ,")
        if module.get("verbosity", 0) >= 1 << 31:
            found.append(f"logging.vmodule[{index}].verbosity is too high")
    return found


def _tracing(values: Values, _gates: Gates) -> list[str]:
    endpoint = values["tracing.endpoint"]
    scheme = endpoint.partition("//")[0] if endpoint and "//" in endpoint else "dns:"
    known = scheme in {"dns:", "unix:", "unix-abstract:"}
    return [] if known else [f"tracing.endpoint {endpoint!r} must have no scheme, or dns, unix or unix-abstract"]
