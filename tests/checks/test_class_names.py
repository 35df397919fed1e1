"""A class name means one thing in the whole package.

Names that begin with an underscore count, for tracebacks and debuggers show them without their module.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "podwright"
GENERATED = ("k8s/objects/", "cri/v1/", "api/v1/", "kubelet_grpc/")
MODEL = "runtime/model/"  # holds CRI's messages as frozen values, under CRI's names

TWICE: dict[str, str] = {}  # name: why two classes have it

LIKE_A_MESSAGE = {  # a class outside the model that has the name of a CRI message or a Kubernetes type: why
    "runtime/handlers/protocol.py:Capabilities": "of a handler; Kubernetes' type is in no module of the runtime",
    "runtime/stats/metrics.py:ContainerMetrics": "is CRI's message before it is encoded",
    "runtime/stats/descriptors.py:MetricDescriptor": "is CRI's message before it is encoded",
}


def test_no_class_name_appears_twice() -> None:
    places = defaultdict(list)
    for place, name in _classes():
        places[name].append(place)
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in TWICE} == {}


def test_a_name_of_the_apis_is_that_type() -> None:
    taken = _messages() | _kubernetes_types()
    found = {f"{place}:{name}" for place, name in _classes() if name in taken and not place.startswith(MODEL)}
    assert found == set(LIKE_A_MESSAGE)


def _classes() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(GENERATED):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield place, node.name


def _messages() -> set[str]:
    return set(re.findall(r"^message (\w+)", (PACKAGE / "cri/v1/api.proto").read_text(), re.MULTILINE))


def _kubernetes_types() -> set[str]:
    texts = (path.read_text() for path in (PACKAGE / "k8s/objects").rglob("*.py"))
    return {name for text in texts for name in re.findall(r"^class (\w+)", text, re.MULTILINE)}
