"""Eviction thresholds, from the format of KubeletConfiguration. Pure.

The rules are those of pkg/kubelet/eviction/helpers.go of Kubernetes 1.36.
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.config.go_duration import SECOND_NS, parse_duration
from podwright.errors import InvalidArgument
from podwright.k8s.quantity import NANO, Amount, Format, parse

_PERCENTAGE = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?%")


class EvictionSignal(enum.Enum):
    """A signal of eviction: something that is measured on the node."""

    MEMORY = "memory.available"
    NODE_FS = "nodefs.available"
    NODE_FS_INODES = "nodefs.inodesFree"
    IMAGE_FS = "imagefs.available"
    IMAGE_FS_INODES = "imagefs.inodesFree"
    CONTAINER_FS = "containerfs.available"
    CONTAINER_FS_INODES = "containerfs.inodesFree"
    PIDS = "pid.available"
    ALLOCATABLE_MEMORY = "allocatableMemory.available"


class ThresholdValue(msgspec.Struct, frozen=True, kw_only=True):
    """An amount, or a share of the capacity (0 to 1)."""

    amount: Amount | None = None
    share: float = 0.0

    def of(self, capacity: int) -> Amount:
        """The amount for this capacity, in units. A share is rounded down."""
        return self.amount if self.amount is not None else Amount(int(capacity * self.share) * NANO, Format.BINARY)


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold, which is met while less than `value` is available. `grace_s` 0: a hard one."""

    signal: EvictionSignal
    value: ThresholdValue
    grace_s: float = 0.0
    min_reclaim: ThresholdValue | None = None  # how much more must be free before it is not met any more

    @property
    def is_hard(self) -> bool:
        """Whether eviction begins at once."""
        return self.grace_s == 0


def thresholds(
    hard: Mapping[str, str] | None,
    soft: Mapping[str, str] | None,
    soft_grace: Mapping[str, str] | None,
    minimum_reclaim: Mapping[str, str] | None,
) -> tuple[Threshold, ...]:
    """All thresholds, hard ones first. Raises InvalidArgument."""
    graces, reclaims = soft_grace or {}, minimum_reclaim or {}
    found = []
    for signal, text in _in_order(hard):
        found += _threshold(signal, text, 0.0, reclaims)
    for signal, text in _in_order(soft):
        found += _threshold(signal, text, soft_grace_s(graces, signal), reclaims)
    return tuple(found)


def of_all_pods(found: Iterable[Threshold]) -> tuple[Threshold, ...]:
    """The thresholds for the memory of all pods together, if that is limited: the hard memory thresholds."""
    memory = [each for each in found if each.signal is EvictionSignal.MEMORY and each.is_hard]
    return tuple(replace(each, signal=EvictionSignal.ALLOCATABLE_MEMORY) for each in memory)


def _in_order(texts: Mapping[str, str] | None) -> list[tuple[str, str]]:
    """The entries in the order of the signals, whatever their order in the file."""
    given = texts or {}
    order = [each.value for each in EvictionSignal]
    return sorted(given.items(), key=lambda entry: order.index(signal_of(entry[0]).value))


def _threshold(name: str, text: str, grace_s: float, reclaims: Mapping[str, str]) -> list[Threshold]:
    value = threshold_value(name, text)
    if value is None:
        return []
    reclaim = reclaim_value(name, reclaims[name]) if name in reclaims else None
    return [Threshold(signal=signal_of(name), value=value, grace_s=grace_s, min_reclaim=reclaim)]


def signal_of(name: str) -> EvictionSignal:
    """The signal with this name. Raises InvalidArgument."""
    try:
        return EvictionSignal(name)
    except ValueError as failure:
        known = ", ".join(each.value for each in EvictionSignal)
        raise InvalidArgument(f"{name!r} is not a signal of eviction", hint=f"one of {known}") from failure


def threshold_value(name: str, text: str) -> ThresholdValue | None:
    """The value of a threshold. None for 0% and 100%, which turn it off. Raises InvalidArgument."""
    if not text.endswith("%"):
        amount = parse(text)
        if amount.nano <= 0:
            raise InvalidArgument(f"{name}: {text} must be more than 0")
        return ThresholdValue(amount=amount)
    if text in ("0%", "100%"):
        return None
    share = _share(name, text)
    if not 0 <= share <= 1:
        raise InvalidArgument(f"{name}: {text} must be from 0% to 100%")
    return ThresholdValue(share=share)


def reclaim_value(name: str, text: str) -> ThresholdValue:
    """The value of a minimum reclaim. Raises InvalidArgument."""
    signal_of(name)
    if not text.endswith("%"):
        amount = parse(text)
        if amount.nano < 0:
            raise InvalidArgument(f"{name}: {text} must not be less than 0")
        return ThresholdValue(amount=amount)
    share = _share(name, text)
    if share <= 0:
        raise InvalidArgument(f"{name}: {text} must be more than 0%")
    return ThresholdValue(share=share)


def soft_grace_s(graces: Mapping[str, str], name: str) -> float:
    """The grace of a soft threshold, in seconds. Raises InvalidArgument."""
    if name not in graces:
        raise InvalidArgument(f"{name}: a soft threshold needs a grace period", hint="set evictionSoftGracePeriod")
    grace_ns = parse_duration(graces[name])
    if grace_ns < 0:
        raise InvalidArgument(f"{name}: the grace period {graces[name]} must not be less than 0")
    return grace_ns / SECOND_NS


def _share(name: str, text: str) -> float:
    """A share, in single precision as in the kubelet, so that amounts are equal to the byte."""
    if _PERCENTAGE.fullmatch(text) is None:
        raise InvalidArgument(f"{name}: {text!r} is not a percentage")
    return _single(_single(float(text[:-1])) / 100)


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])
