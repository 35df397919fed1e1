"""Prometheus' text format, version 0.0.4. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One value. `timestamp_ms` 0 means now. `suffix` names the parts of a histogram."""

    value: float
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    timestamp_ms: int = 0
    suffix: str = ""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """All samples of one name."""

    name: str
    kind: str  # `counter`, `gauge`, `histogram`
    help: str
    samples: tuple[Sample, ...]


def exposition(families: Iterable[Family]) -> bytes:
    """The text. Families without samples are left out."""
    lines: list[str] = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# HELP {family.name} {family.help.translate(_HELP_ESCAPES)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [_line(family.name, sample) for sample in family.samples]
    return ("\n".join(lines) + "\n").encode() if lines else b""


def gauge(name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Family:
    """A family of present values, by their labels."""
    return Family(
        name=name,
        kind="gauge",
        help=text,
        samples=tuple(Sample(value=value, labels=labels) for labels, value in samples),
    )


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in sample.labels.items())
    shown = f"{{{labels}}}" if labels else ""
    when = f" {sample.timestamp_ms}" if sample.timestamp_ms else ""
    return f"{name}{sample.suffix}{shown} {number(sample.value)}{when}"


def number(value: float) -> str:
    """The number in its shortest form, as in Go. Whole numbers have no fraction."""
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
