"""Objects from YAML, defaulted, and what validation says of them."""

from __future__ import annotations

from typing import TypeVar

from podwright.k8s.defaults.apply import with_defaults
from podwright.k8s.objects import Pod
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.reading.documents import read_documents
from podwright.k8s.reading.strict import read_object
from podwright.k8s.validation.pods import validate_pod

T = TypeVar("T", bound=ApiObject)


def read(text: str, cls: type[T]) -> T:
    """The object as the API server would store it."""
    return with_defaults(read_object(read_documents(text)[0], cls))


def pod(spec: str = "", container: str = "") -> Pod:
    """A pod with one container; flow mappings' inner text for the spec and for the container."""
    more = f", {container}" if container else ""
    rest = f", {spec}" if spec else ""
    return read(f"{{metadata: {{name: a}}, spec: {{containers: [{{name: c, image: busybox:1{more}}}]{rest}}}}}", Pod)


def faults(spec: str = "", container: str = "") -> list[str]:
    """What is wrong with such a pod."""
    return [str(problem) for problem in validate_pod(pod(spec, container))]


def only(container: str) -> Pod:
    """A pod whose container says just this, and has a name and an image if it says none."""
    fields = container.partition(":")[0]
    rest = ", ".join(text for key, text in (("name", "name: c"), ("image", "image: x")) if key != fields)
    return read(f"{{metadata: {{name: a}}, spec: {{containers: [{{{container}, {rest}}}]}}}}", Pod)
