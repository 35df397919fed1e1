"""A manifest becomes a pod as the API server would have made it."""

from __future__ import annotations

import logging

import pytest

from podwright.agent.sources.manifest import read_pod
from podwright.errors import InvalidArgument

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: main
    image: app
    livenessProbe: {tcpSocket: {port: 80}}
"""


def test_defaults_are_filled_in() -> None:
    pod = read_pod(POD.encode(), "web.yaml")
    (container,) = pod.spec.containers
    assert pod.spec.restart_policy == "Always"
    assert pod.spec.termination_grace_period_seconds == 30
    assert container.image_pull_policy == "Always"
    assert container.liveness_probe is not None
    assert container.liveness_probe.period_seconds == 10


def test_an_unknown_field_is_named_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read_pod(POD.replace("image: app", "imag: x\n    image: app").encode(), "web.yaml")
    assert "web.yaml" in caplog.text
    assert "imag" in caplog.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(POD.replace("kind: Pod", "kind: Service"), "not a v1/Pod", id="another kind"),
        pytest.param(POD + "---" + POD, "holds 2 pods", id="two pods"),
        pytest.param("", "holds 0 pods", id="none"),
        pytest.param(POD.replace("image: app", "image: app\n    command: 7"), "command", id="a wrong type"),
        pytest.param(POD.replace("name: web", "name: We_b"), "metadata.name", id="a wrong name"),
        pytest.param("a: [", "web.yaml", id="no YAML"),
    ],
)
def test_what_is_no_pod(text: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=r"web\.yaml") as failure:
        read_pod(text.encode(), "web.yaml")
    assert words in str(failure.value)
