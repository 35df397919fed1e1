"""The kubelet's defaults (pkg/kubelet/apis/config/v1beta1/defaults.go)."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.config.go_duration import SECOND_NS
from podwright.agent.config.settings import BY_KEY, FIELDS
from podwright.agent.config.values import Values

# The hard eviction thresholds if the file of --config has none (pkg/kubelet/eviction/defaults_linux.go).
EVICTION_HARD = {
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}
# Without --config the kubelet has the defaults that its flags had before there were files.
LEGACY: Values = {
    "authentication.anonymous.enabled": True,
    "authentication.webhook.enabled": False,
    "authorization.mode": "AlwaysAllow",
    "readOnlyPort": 10255,
}
MAX_CONTAINER_BACK_OFF_NS = 300 * SECOND_NS


def complete(given: Values, gates: Mapping[str, bool]) -> Values:
    """`given` with a value for every field and flag. Fields that are not set get the kubelet's defaults."""
    values = {key: setting.default for key, setting in BY_KEY.items()} | given
    unset = {setting.key for setting in FIELDS if not setting.is_set(values[setting.key])}
    values |= {key: BY_KEY[key].default for key in unset}
    unset |= {setting.key for setting in FIELDS if setting.key not in given}
    if "nodeStatusReportFrequency" in unset and "nodeStatusUpdateFrequency" not in unset:
        values["nodeStatusReportFrequency"] = values["nodeStatusUpdateFrequency"]
    if "serializeImagePulls" in unset:
        values["serializeImagePulls"] = (values["maxParallelImagePulls"] or 0) < 2
    if values["podPidsLimit"] < 0:
        values["podPidsLimit"] = -1
    if gates["KubeletCrashLoopBackOffMax"] and "crashLoopBackOff.maxContainerRestartPeriod" in unset:
        values["crashLoopBackOff.maxContainerRestartPeriod"] = MAX_CONTAINER_BACK_OFF_NS
    if gates["KubeletEnsureSecretPulledImages"] and "imagePullCredentialsVerificationPolicy" in unset:
        values["imagePullCredentialsVerificationPolicy"] = "NeverVerifyPreloadedImages"
    return values


def with_file_eviction(values: Values) -> Values:
    """Add what the kubelet adds only to the file of --config: the default hard eviction thresholds."""
    given = values["evictionHard"]
    if given is None:
        return values | {"evictionHard": EVICTION_HARD}
    return values | {"evictionHard": EVICTION_HARD | given} if values["mergeDefaultEvictionSettings"] else values
