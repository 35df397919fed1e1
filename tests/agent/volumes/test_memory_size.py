"""The size of a tmpfs, and the size of huge pages."""

from __future__ import annotations

import pytest

from podwright.agent.volumes.memory_size import medium_of
from podwright.agent.volumes.plans import HugePages, MemoryFilesystem
from podwright.errors import InvalidArgument
from podwright.k8s.objects import Container, EmptyDirVolumeSource, ResourceRequirements
from tests.agent.fakes.pods import container, pod

MIB = 1 << 20
NODE = 64 * MIB


def limited(memory: str | None, name: str = "main") -> Container:
    return container(name, resources=ResourceRequirements(limits={"memory": memory} if memory else {}))


@pytest.mark.parametrize(
    ("limits", "pod_limit", "size_limit", "expected_mib"),
    [
        ((None,), None, None, 64),
        ((None,), None, "10Mi", 10),
        ((None,), None, "100Mi", 64),
        ((None,), None, "0", 64),
        (("20Mi",), None, None, 20),
        (("20Mi",), None, "10Mi", 10),
        (("20Mi",), None, "30Mi", 20),
        (("20Mi", "4Mi"), None, None, 24),
        (("20Mi", None), None, None, 64),
        (("200Mi",), None, None, 64),
        ((None,), "8Mi", None, 8),
        (("20Mi",), "8Mi", None, 8),
    ],
)
def test_a_tmpfs_is_as_large_as_the_smallest_limit(
    limits: tuple[str | None, ...], pod_limit: str | None, size_limit: str | None, expected_mib: int
) -> None:
    containers = tuple(limited(limit, f"c{index}") for index, limit in enumerate(limits))
    resources = ResourceRequirements(limits={"memory": pod_limit}) if pod_limit else None
    source = EmptyDirVolumeSource(medium="Memory", size_limit=size_limit)
    subject = pod(containers=containers, resources=resources)
    assert medium_of(source, subject, NODE) == MemoryFilesystem(size_bytes=expected_mib * MIB)


@pytest.mark.parametrize(
    ("medium", "requests", "expected"),
    [
        ("HugePages", ("hugepages-2Mi",), 2 * MIB),
        ("HugePages-2Mi", ("hugepages-2Mi", "hugepages-1Gi"), 2 * MIB),
        ("HugePages-1Gi", ("hugepages-2Mi", "hugepages-1Gi"), 1024 * MIB),
        ("HugePages", ("hugepages-2Mi", "hugepages-1Gi"), "multiple huge page sizes"),
        ("HugePages", (), "no resource request for huge pages"),
        ("HugePages-1Gi", ("hugepages-2Mi",), "no resource request for huge pages"),
        ("Disk", (), 'unknown storage medium "Disk"'),
    ],
)
def test_huge_pages_are_those_that_the_pod_asks_for(
    medium: str, requests: tuple[str, ...], expected: int | str
) -> None:
    resources = ResourceRequirements(requests=dict.fromkeys(requests, "4Mi"))
    subject = pod(containers=(container(resources=resources),))
    source = EmptyDirVolumeSource(medium=medium)
    if isinstance(expected, int):
        assert medium_of(source, subject, NODE) == HugePages(page_bytes=expected)
    else:
        with pytest.raises(InvalidArgument, match=expected):
            medium_of(source, subject, NODE)
