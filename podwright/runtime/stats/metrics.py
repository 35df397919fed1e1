"""Metrics of pods and containers: samples, and the label values that they share. Pure."""

from __future__ import annotations

import msgspec

from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.model.usage import ContainerDetails, SandboxStats
from podwright.runtime.stats import samples
from podwright.runtime.stats.samples import DeviceName, MetricSample


class ContainerMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Samples with the values of `descriptors.BASE_KEYS`."""

    container: Container
    labels: tuple[str, ...]
    samples: tuple[MetricSample, ...]


class SandboxMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """The pod's own samples (its network) and those of its containers."""

    sandbox: Sandbox
    labels: tuple[str, ...]
    samples: tuple[MetricSample, ...]
    containers: tuple[ContainerMetrics, ...]


def of_sandbox(stats: SandboxStats, details: list[ContainerDetails], device_name: DeviceName) -> SandboxMetrics:
    """All metrics of a pod. The pod's own have no container and image."""
    sandbox = stats.sandbox
    pod = (sandbox.config.name.name, sandbox.config.name.namespace)
    return SandboxMetrics(
        sandbox=sandbox,
        labels=(*pod, "", sandbox.id, ""),
        samples=tuple(samples.of_interfaces(stats.interfaces or ())),
        containers=tuple(
            ContainerMetrics(
                container=each.stats.container,
                labels=(*pod, *_labels(each.stats.container)),
                samples=tuple(samples.of_container(each, device_name)),
            )
            for each in details
        ),
    )


def _labels(container: Container) -> tuple[str, ...]:
    image = container.config.image.user_specified_image or container.image_name
    return (container.config.name, container.id, image)
