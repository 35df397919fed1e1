"""What a kubelet refuses (pkg/kubelet/apis/config/validation): ranges, choices, and fields that exclude each other.

Every rule is a function of the complete values and the feature gates, and gives the problems that it finds, in the
kubelet's words where the kubelet has the rule.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from podwright.agent.config import validation_eviction, validation_images, validation_managers, validation_node
from podwright.agent.config.go_duration import SECOND_NS, format_duration
from podwright.agent.config.refusals import (
    either,
    forbidden,
    in_braces,
    invalid,
    invalid_value,
    named,
    quoted,
    quoted_list,
)
from podwright.agent.config.values import Values
from podwright.k8s.quantity import parse_nano

Gates = Mapping[str, bool]

HIGHEST_VERBOSITY = (1 << 31) - 1
HIGHEST_SAMPLING_RATE = 1_000_000
_SCHEMES_PAGE = "https://github.com/grpc/grpc/blob/master/doc/naming.md"
_PORT = (1, 65535)
_NOT_NEGATIVE = (
    "eventBurst",
    "eventRecordQPS",
    "kubeAPIBurst",
    "kubeAPIQPS",
    "maxOpenFiles",
    "maxPods",
    "podsPerCore",
    "registryBurst",
    "registryPullQPS",
)
# The lowest value, and what a kubelet says of a lower one.
_LOWEST = {
    "nodeLeaseDurationSeconds": (1, "nodeLeaseDurationSeconds must be greater than 0"),
    "nodeStatusMaxImages": (-1, "nodeStatusMaxImages (--node-status-max-images) {} must be -1 or greater"),
    "maxParallelImagePulls": (1, "maxParallelImagePulls {} must be a positive number"),
    "containerLogMaxWorkers": (1, "containerLogMaxWorkers must be greater than or equal to 1"),
    "containerLogMonitorInterval": (
        3 * SECOND_NS,
        "containerLogMonitorInterval must be a positive time duration greater than or equal to 3s",
    ),
    "containerLogMaxFiles": (2, "containerLogMaxFiles must be greater than 1"),
}
_RANGES = {
    "imageGCHighThresholdPercent": (0, 100),
    "imageGCLowThresholdPercent": (0, 100),
    "iptablesDropBit": (0, 31),
    "iptablesMasqueradeBit": (0, 31),
    "oomScoreAdj": (-1000, 1000),
    "port": _PORT,
}
_ONE_OF = "{name} {value} must be one of: {listed}"
_OPTION = "option {value} specified for {name}. Valid options are {either}"
_CHOICES = {
    "topologyManagerPolicy": (_ONE_OF, ("none", "best-effort", "restricted", "single-numa-node")),
    "topologyManagerScope": ('{name} {value} must be one of: "container", or "pod"', ("container", "pod")),
    "hairpinMode": (_OPTION, ("none", "hairpin-veth", "promiscuous-bridge")),
    "memoryReservationPolicy": (_OPTION, ("None", "TieredReservation")),
    "memorySwap.swapBehavior": ("{name} {value} must be one of: {either}", ("", "LimitedSwap", "NoSwap")),
    # The kubelet refuses other values of these when it starts, not when it validates.
    "cpuManagerPolicy": (_ONE_OF, ("none", "static")),
    "memoryManagerPolicy": (_ONE_OF, ("None", "Static")),
    "configMapAndSecretChangeDetectionStrategy": (_ONE_OF, ("Get", "Cache", "Watch")),
    "cgroupDriver": (_ONE_OF, ("cgroupfs", "systemd")),
    "authorization.mode": (_ONE_OF, ("AlwaysAllow", "Webhook")),
    "tlsMinVersion": (_ONE_OF, ("", "VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13")),
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


def _out_of_range(values: Values) -> list[str]:
    found = [f"{named(key)} {values[key]} must not be a negative number" for key in _NOT_NEGATIVE if values[key] < 0]
    found += [
        text.format(values[key])
        for key, (low, text) in _LOWEST.items()
        if values[key] is not None and values[key] < low
    ]
    found += [
        _between(key, values[key], low, high) for key, (low, high) in _RANGES.items() if not low <= values[key] <= high
    ]
    low, high = _PORT
    found += [
        _between(key, values[key], shown_low, high)
        for key, shown_low in (("healthzPort", low), ("readOnlyPort", 0))
        if values[key] and not low <= values[key] <= high
    ]
    return list(map(invalid, found))


def _between(key: str, value: int, low: int, high: int) -> str:
    return f"{named(key)} {value} must be between {low} and {high}, inclusive"


def _not_a_choice(values: Values) -> list[str]:
    return [
        invalid(
            text.format(
                name=named(key), value=quoted(values[key]), listed=quoted_list(choices), either=either(choices)
            )
        )
        for key, (text, choices) in _CHOICES.items()
        if values[key] not in choices
    ]


def _runtime(values: Values, gates: Gates) -> list[str]:
    found = []
    period, name = values["cpuCFSQuotaPeriod"], named("cpuCFSQuotaPeriod")
    if not gates["CustomCPUCFSQuotaPeriod"] and period != SECOND_NS // 10:
        found.append(f"{name} {in_braces(period)} requires feature gate CustomCPUCFSQuotaPeriod")
    if gates["CustomCPUCFSQuotaPeriod"] and not SECOND_NS // 1000 <= period <= SECOND_NS:
        found.append(f"{name} {in_braces(period)} must be between 1ms and 1sec, inclusive")
    if not values["containerRuntimeEndpoint"]:
        found.append("the containerRuntimeEndpoint was not specified or empty")
    if values["runOnce"]:
        found.append("runOnce (--runOnce) true, Runonce mode has been deprecated and should not be set")
    throttling = values["memoryThrottlingFactor"]
    if throttling is not None and not 0 < throttling <= 1:
        found.append(f"memoryThrottlingFactor {throttling:g} must be greater than 0 and less than or equal to 1.0")
    policy = values["memoryReservationPolicy"]
    if policy == "TieredReservation" and not gates["MemoryQoS"]:
        found.append(f"memoryReservationPolicy {quoted(policy)} requires MemoryQoS feature gate to be enabled")
    return list(map(invalid, found))


def _server(values: Values, gates: Gates) -> list[str]:
    found = []
    if values["serverTLSBootstrap"] and not gates["RotateKubeletServerCertificate"]:
        found.append("serverTLSBootstrap true requires feature gate RotateKubeletServerCertificate")
    if values["enableSystemLogQuery"] and not gates["NodeLogQuery"]:
        found.append("NodeLogQuery feature gate is required for enableSystemLogQuery")
    if values["enableSystemLogQuery"] and not values["enableSystemLogHandler"]:
        found.append("enableSystemLogHandler is required for enableSystemLogQuery")
    return list(map(invalid, found))


def _shutdown(values: Values, gates: Gates) -> list[str]:
    found = []
    whole, critical = values["shutdownGracePeriod"], values["shutdownGracePeriodCriticalPods"]
    if gates["GracefulNodeShutdown"]:
        if critical > whole:
            found.append(
                f"shutdownGracePeriodCriticalPods {in_braces(critical)} must be <= "
                f"shutdownGracePeriod {in_braces(whole)}"
            )
        found += [
            f"{key} {in_braces(values[key])} must be either zero or otherwise >= 1 sec"
            for key in ("shutdownGracePeriod", "shutdownGracePeriodCriticalPods")
            if values[key] and values[key] < SECOND_NS
        ]
    elif whole > 0 or critical > 0:
        found.append(
            "specifying shutdownGracePeriod or shutdownGracePeriodCriticalPods requires feature gate "
            "GracefulNodeShutdown"
        )
    by_priority = values["shutdownGracePeriodByPodPriority"]
    if by_priority and not gates["GracefulNodeShutdownBasedOnPodPriority"]:
        gate = "GracefulNodeShutdownBasedOnPodPriority"
        found.append(f"Specifying shutdownGracePeriodByPodPriority requires feature gate {gate}")
    elif by_priority and (whole > 0 or critical > 0):
        found.append("Cannot specify both shutdownGracePeriodByPodPriority and shutdownGracePeriod at the same time")
    return list(map(invalid, found))


def _back_off(values: Values, gates: Gates) -> list[str]:
    name, gate = "CrashLoopBackOff.MaxContainerRestartPeriod", "FeatureGate KubeletCrashLoopBackOffMax"
    period = values["crashLoopBackOff.maxContainerRestartPeriod"]
    if not gates["KubeletCrashLoopBackOffMax"]:
        return [invalid(f"{gate} not enabled, {name} must not be set")] if period is not None else []
    if period is None:
        return [invalid(f"{gate} is enabled, {name} must be set")]
    # Go compares whole milliseconds.
    if 1000 <= int(period / 1_000_000) <= 300_000:
        return []
    return [invalid(f"{name} (got: {period / SECOND_NS:.12g} seconds) must be set between 1s and 300s")]


def _logs(values: Values, _gates: Gates) -> list[str]:
    folder, found = values["podLogsDir"], []
    if not folder:
        found.append("podLogsDir was not specified")
    if not folder.startswith("/"):
        found.append(f"pod logs path {quoted(folder)} must be absolute path")
    if os.path.normpath(folder) != folder or folder.startswith("//"):
        found.append(f"pod logs path {quoted(folder)} must be normalized")
    if not folder.isascii():
        found.append(f"pod logs path {quoted(folder)} mut contains ASCII characters only")
    return list(map(invalid, found))


def _logging(values: Values, gates: Gates) -> list[str]:
    found = []
    if values["logging.flushFrequency"] <= 0:
        period = format_duration(values["logging.flushFrequency"])
        found.append(invalid_value("logging.flushFrequency", period, "Must be greater than zero"))
    if values["logging.format"] not in {"text", "json"}:
        found.append(invalid_value("logging.format", values["logging.format"], "Unsupported log format"))
    if values["logging.verbosity"] > HIGHEST_VERBOSITY:
        found.append(
            invalid_value("logging.verbosity", values["logging.verbosity"], f"Must be <= {HIGHEST_VERBOSITY}")
        )
    modules = values["logging.vmodule"] or ()
    if modules and values["logging.format"] != "text":
        found.append(forbidden("logging.vmodule", "Only supported for text log format"))
    for index, module in enumerate(modules):
        found += _module(f"logging.vmodule[{index}]", module.get("filePattern", ""), module.get("verbosity", 0))
    for form in ("text", "json"):
        split, buffer = f"logging.options.{form}.splitStream", f"logging.options.{form}.infoBufferSize"
        used = [key for key, on in ((split, values[split]), (buffer, parse_nano(values[buffer]))) if on]
        if not gates["LoggingAlphaOptions"]:
            found += [forbidden(key, "Feature LoggingAlphaOptions is disabled") for key in used]
    return found


def _module(place: str, pattern: str, verbosity: int) -> list[str]:
    found = []
    if not pattern:
        found.append(f"{place}: Required value: File pattern must not be empty")
    if "=" in pattern or "," in pattern:
        found.append(invalid_value(place, pattern, "File pattern must not contain equal sign or comma"))
    if verbosity > HIGHEST_VERBOSITY:
        found.append(invalid_value(place, verbosity, f"Must be <= {HIGHEST_VERBOSITY}"))
    return found


def _tracing(values: Values, _gates: Gates) -> list[str]:
    found = []
    rate = values["tracing.samplingRatePerMillion"]
    if rate is not None and rate < 0:
        found.append(invalid_value("tracing.samplingRatePerMillion", rate, "sampling rate must be positive"))
    if rate is not None and rate > HIGHEST_SAMPLING_RATE:
        why = "sampling rate per million must be less than or equal to one million"
        found.append(invalid_value("tracing.samplingRatePerMillion", rate, why))
    endpoint = values["tracing.endpoint"] or ""
    scheme = endpoint.partition("//")[0] if "//" in endpoint else "dns:"
    if scheme not in {"dns:", "unix:", "unix-abstract:"}:
        why = f"unsupported scheme: {scheme.removesuffix(':')}.  Options are none, dns, unix, or unix-abstract."
        found.append(invalid_value("tracing.endpoint", endpoint, f"{why}  See {_SCHEMES_PAGE}"))
    return found
