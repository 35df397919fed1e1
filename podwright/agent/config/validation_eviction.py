"""Rules for eviction: each threshold must be one of a known signal, and each soft one must have its grace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from podwright.agent.config.refusals import invalid
from podwright.agent.config.thresholds import reclaim_value, signal_of, soft_grace_s, threshold_value
from podwright.agent.config.values import Values
from podwright.errors import InvalidArgument


def problems(values: Values) -> list[str]:
    """The problems of the thresholds."""
    hard, soft = values["evictionHard"] or {}, values["evictionSoft"] or {}
    graces, reclaims = values["evictionSoftGracePeriod"] or {}, values["evictionMinimumReclaim"] or {}
    return [
        *_faults("evictionHard", hard, _threshold),
        *_faults("evictionSoft", soft, _threshold),
        *_faults("evictionSoft", soft, lambda name, _: soft_grace_s(graces, name)),
        *_faults("evictionSoftGracePeriod", graces, lambda name, _: signal_of(name)),
        *_faults("evictionMinimumReclaim", reclaims, reclaim_value),
    ]


def _threshold(name: str, text: str) -> None:
    signal_of(name)
    threshold_value(name, text)


def _faults(key: str, entries: Mapping[str, str], check: Callable[[str, str], object]) -> Iterator[str]:
    for name, text in entries.items():
        try:
            check(name, text)
        except InvalidArgument as failure:
            yield invalid(f"{key}: {failure}")
