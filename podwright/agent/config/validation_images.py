"""Rules for images: thresholds, ages, and who may use what is there already."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.config.go_duration import format_duration
from podwright.agent.config.values import Values


def problems(values: Values, gates: Mapping[str, bool]) -> list[str]:
    """What is wrong with how images are pulled and removed."""
    found = []
    low, high = values["imageGCLowThresholdPercent"], values["imageGCHighThresholdPercent"]
    if low >= high:
        found.append(
            f"imageGCLowThresholdPercent (--image-gc-low-threshold) {low} must be less than "
            f"imageGCHighThresholdPercent {high}"
        )
    oldest, youngest = values["imageMaximumGCAge"], values["imageMinimumGCAge"]
    if 0 < oldest <= youngest:
        found.append(
            f"imageMaximumGCAge {format_duration(oldest)} must be greater than "
            f"imageMinimumGCAge {format_duration(youngest)}"
        )
    if values["serializeImagePulls"] and (values["maxParallelImagePulls"] or 0) > 1:
        found.append("maxParallelImagePulls cannot be larger than 1 while serializeImagePulls is true")
    return found + _pull_credentials(values, gates)


def _pull_credentials(values: Values, gates: Mapping[str, bool]) -> list[str]:
    policy, allowed = values["imagePullCredentialsVerificationPolicy"], values["preloadedImagesVerificationAllowlist"]
    if not gates["KubeletEnsureSecretPulledImages"]:
        fields = ("imagePullCredentialsVerificationPolicy", "preloadedImagesVerificationAllowlist")
        return [f"{key} needs the feature gate KubeletEnsureSecretPulledImages" for key in fields if values[key]]
    policies = ("NeverVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages", "AlwaysVerify")
    found = []
    if policy not in policies:
        found.append(f"imagePullCredentialsVerificationPolicy {policy!r} must be one of {', '.join(policies)}")
    if allowed and policy != "NeverVerifyAllowlistedImages":
        found.append(
            "preloadedImagesVerificationAllowlist needs "
            "imagePullCredentialsVerificationPolicy NeverVerifyAllowlistedImages"
        )
    return found + [
        f"preloadedImagesVerificationAllowlist: {text!r} {why}"
        for text in allowed or ()
        if (why := _bad_pattern(text))
    ]


def _bad_pattern(pattern: str) -> str:
    """Why this is no image without tag and digest, nor such a prefix with `/*` behind it. Empty when it is one."""
    wildcard = pattern.endswith("/*")
    name = pattern.removesuffix("*") if wildcard else pattern
    if pattern != pattern.strip():
        return "begins or ends with a space"
    if not name or name == "/":
        return "names no registry"
    if "*" in name:
        return "has a * that is not the end after a /"
    if not wildcard and ("@" in name or ":" in name.rpartition("/")[2]):
        return "has a tag or a digest"
    return ""
