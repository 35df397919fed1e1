"""Prometheus' text format, and what is kept."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.metrics.instruments import Counter, Histogram
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.metrics.prometheus import exposition, gauge
from podwright.agent.runtime.measured import operation
from podwright.cri.v1 import api_pb2 as api

SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (\S+)')
PAIR = re.compile(r'(\w+)="((?:[^"\\\n]|\\["\\n])*)"')


def lines(instrument: Counter | Histogram) -> list[str]:
    return exposition(instrument.families()).decode().splitlines()


def test_a_counter() -> None:
    counter = Counter("c_total", "What is counted", ("kind", "pod"))
    counter.add("a", "p")
    counter.add("a", "p", by=2)
    counter.add("b", "q")
    assert lines(counter) == [
        "# HELP c_total What is counted",
        "# TYPE c_total counter",
        'c_total{kind="a",pod="p"} 3',
        'c_total{kind="b",pod="q"} 1',
    ]
    counter.forget(lambda labels: labels["pod"] == "p")
    assert (counter.value("a", "p"), counter.value("b", "q")) == (0, 1)


def test_a_counter_without_labels_is_there_from_the_start() -> None:
    assert lines(Counter("c_total", "x"))[-1] == "c_total 0"


def test_a_histogram() -> None:
    histogram = Histogram("h_seconds", "How long", ("of",), buckets=(0.1, 1))
    for seconds in (0.05, 0.1, 0.5, 7):
        histogram.observe(seconds, "x")
    assert lines(histogram)[2:] == [
        'h_seconds_bucket{of="x",le="0.1"} 2',
        'h_seconds_bucket{of="x",le="1"} 3',
        'h_seconds_bucket{of="x",le="+Inf"} 4',
        'h_seconds_sum{of="x"} 7.65',
        'h_seconds_count{of="x"} 4',
    ]
    histogram.forget(lambda labels: labels["of"] == "x")
    assert histogram.count("x") == 0
    assert lines(histogram) == []


@given(st.text())
def test_any_label_can_be_read_again(value: str) -> None:
    line = exposition([gauge("g", "x", [({"label": value}, 1)])]).decode().split("\n")[-2]
    match = SAMPLE.fullmatch(line)
    assert match is not None
    ((name, text),) = PAIR.findall(match[2])
    unescaped = re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], text)
    assert (name, unescaped) == ("label", value)


def test_operations_have_the_kubelets_names() -> None:
    names = {
        api.RunPodSandboxRequest: "run_podsandbox",
        api.PodSandboxStatusRequest: "podsandbox_status",
        api.ListPodSandboxRequest: "list_podsandbox",
        api.UpdateContainerResourcesRequest: "update_container",
        api.ImageFsInfoRequest: "image_fs_info",
        api.ExecSyncRequest: "exec_sync",
    }
    assert {kind: operation(kind) for kind in names} == names


def test_every_family_has_a_name_of_its_own() -> None:
    names = [family.name for family in KubeletMetrics().families()]
    assert len(names) == len(set(names)) > 15
