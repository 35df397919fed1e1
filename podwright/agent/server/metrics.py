"""`/metrics`: counts of pods and containers under the kubelet's names, and what this process takes.

Prometheus' text format, version 0.0.4.
"""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Iterable

from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import Pod


def exposition(observed: Iterable[ObservedPod], wanted: Iterable[Pod]) -> bytes:
    """The text."""
    pods = list(observed)
    states = Counter(status.state.value for pod in pods for status in pod.containers)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    lines = [
        *_family("kubelet_desired_pods", "gauge", "Pods that the sources want", [("", len(list(wanted)))]),
        *_family(
            "kubelet_running_pods",
            "gauge",
            "Pods with a ready sandbox",
            [("", sum(bool(pod.ready_sandboxes()) for pod in pods))],
        ),
        *_family(
            "kubelet_running_containers",
            "gauge",
            "Containers by state",
            [(f'{{container_state="{state}"}}', count) for state, count in sorted(states.items())],
        ),
        *_family(
            "process_cpu_seconds_total",
            "counter",
            "CPU time of this process",
            [("", usage.ru_utime + usage.ru_stime)],
        ),
        *_family("process_resident_memory_bytes", "gauge", "Resident memory", [("", _resident_bytes())]),
    ]
    return ("\n".join(lines) + "\n").encode()


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    found = [f"{name}{labels} {value}" for labels, value in samples]
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *found]


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
