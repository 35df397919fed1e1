"""Rules for images: thresholds, ages, and who may use what is there already."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.config.go_duration import format_duration
from podwright.agent.config.refusals import either, invalid, quoted
from podwright.agent.config.values import Values

_POLICIES = ("NeverVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages", "AlwaysVerify")


def problems(values: Values, gates: Mapping[str, bool]) -> list[str]:
    """The problems of the settings for pulling and removing images."""
    found = []
    low, high = values["imageGCLowThresholdPercent"], values["imageGCHighThresholdPercent"]
    if low >= high:
        found.append(
            f"imageGCLowThresholdPercent (--image-gc-low-threshold) {low} must be less than "
            f"imageGCHighThresholdPercent (--image-gc-high-threshold) {high}"
        )
    oldest, youngest = values["imageMaximumGCAge"], values["imageMinimumGCAge"]
    found += [
        f"{key} {format_duration(values[key])} must not be negative"
        for key in ("imageMinimumGCAge", "imageMaximumGCAge")
        if values[key] < 0
    ]
    if 0 < oldest <= youngest:
        found.append(
            f"imageMaximumGCAge {format_duration(oldest)} must be greater than "
            f"imageMinimumGCAge {format_duration(youngest)}"
        )
    if values["serializeImagePulls"] and (values["maxParallelImagePulls"] or 0) > 1:
        found.append(
            "maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls (--serialize-image-pulls) "
            "is set to false"
        )
    return list(map(invalid, [*found, *_pull_credentials(values, gates)]))


def _pull_credentials(values: Values, gates: Mapping[str, bool]) -> list[str]:
    policy, allowed = values["imagePullCredentialsVerificationPolicy"], values["preloadedImagesVerificationAllowlist"]
    if not gates["KubeletEnsureSecretPulledImages"]:
        return [
            f"`{key}` must not be set if KubeletEnsureSecretPulledImages feature gate is not enabled"
            for key in ("imagePullCredentialsVerificationPolicy", "preloadedImagesVerificationAllowlist")
            if values[key]
        ]
    found = []
    if policy not in _POLICIES:
        option = f"option {quoted(policy)} specified for imagePullCredentialsVerificationPolicy"
        found.append(f"{option}. Valid options are {either(_POLICIES)}")
    if allowed and policy != "NeverVerifyAllowlistedImages":
        found.append(
            "can't set `preloadedImagesVerificationAllowlist` if `imagePullCredentialsVertificationPolicy` is not "
            '"NeverVerifyAllowlistedImages"'
        )
        return found
    return found + [
        f"invalid image pattern in `preloadedImagesVerificationAllowlist`: {why}"
        for pattern in allowed or ()
        if (why := _bad_pattern(pattern))
    ]


def _bad_pattern(pattern: str) -> str:
    """Why this is no image without tag and digest, nor such a prefix with `/*` behind it. Empty when it is one."""
    wildcard = pattern.endswith("/*")
    name = pattern.removesuffix("*") if wildcard else pattern
    if pattern != pattern.strip():
        return f"leading/trailing spaces are not allowed: {pattern}"
    if not name:
        return f"the supplied pattern is too short: {pattern}"
    if "*" in name:
        return f"not a valid wildcard pattern, only patterns ending with '/*' are allowed: {pattern}"
    if name == "/":
        return "at least registry hostname is required"
    if not wildcard and ("@" in name or ":" in name.rpartition("/")[2]):
        return f"neither tag nor digest is accepted in an image reference: {pattern}"
    return ""
