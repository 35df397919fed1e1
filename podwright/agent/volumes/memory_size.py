"""The size of a pod's tmpfs, and the medium of an emptyDir. Pure."""

from __future__ import annotations

from podwright.agent.pods.containers import all_containers
from podwright.agent.volumes.plans import HugePages, Medium, MemoryFilesystem
from podwright.errors import InvalidArgument
from podwright.k8s.objects import Container, EmptyDirVolumeSource, Pod
from podwright.k8s.pod_resources import aggregate_limits, is_huge_pages
from podwright.k8s.quantity import whole

HUGE_PAGES = "HugePages"
HUGE_PAGES_SIZED = "HugePages-"


def medium_of(source: EmptyDirVolumeSource, pod: Pod, allocatable_bytes: int) -> Medium:
    """The medium of an emptyDir.

    Raises InvalidArgument for an unknown medium, and for huge pages that cannot be used.
    """
    name = source.medium
    if name == "":
        return None
    if name == "Memory":
        return memory_of(pod, allocatable_bytes, source.size_limit)
    if name == HUGE_PAGES or name.startswith(HUGE_PAGES_SIZED):
        return HugePages(page_bytes=_page_bytes(name, pod))
    raise InvalidArgument(
        f'unknown storage medium "{name}"', hint="it is empty, Memory, HugePages or HugePages-<size>"
    )


def memory_of(pod: Pod, allocatable_bytes: int, size_limit: str | None = None) -> MemoryFilesystem:
    """A tmpfs with the smallest of its limit, the pod's memory limit and the node's memory (0 is no limit)."""
    sizes = [allocatable_bytes, _pod_limit_bytes(pod), whole(size_limit or "0")]
    return MemoryFilesystem(size_bytes=min((size for size in sizes if size > 0), default=0))


def _pod_limit_bytes(pod: Pod) -> int:
    """The memory limit of the pod's cgroup: its own, or its containers' when all of them have one. 0 for none."""
    own = pod.spec.resources.limits.get("memory", "0") if pod.spec.resources is not None else "0"
    if whole(own):
        return whole(own)
    containers = [*pod.spec.init_containers, *pod.spec.containers]
    if not all(whole(container.resources.limits.get("memory", "0")) for container in containers):
        return 0
    limits = aggregate_limits(pod.spec)
    return limits["memory"].whole if "memory" in limits else 0


def _page_bytes(medium: str, pod: Pod) -> int:
    """The page size that the medium names, or the only one that the pod asks for. Raises InvalidArgument."""
    sizes = {whole(name.partition("-")[2]) for name in _huge_page_requests(pod)}
    if medium == HUGE_PAGES:
        if len(sizes) > 1:
            message = f"medium: {medium} can't be used if container requests multiple huge page sizes"
            raise InvalidArgument(message, hint="name the size: HugePages-2Mi")
    else:
        sizes &= {whole(medium.removeprefix(HUGE_PAGES_SIZED))}
    if not sizes:
        message = f"medium {medium}: hugePages storage requested, but there is no resource request for huge pages"
        raise InvalidArgument(message, hint="a container must request hugepages-<size>")
    return sizes.pop()


def _huge_page_requests(pod: Pod) -> set[str]:
    requests = [container.resources.requests for container in all_containers(pod) if isinstance(container, Container)]
    if pod.spec.resources is not None:
        requests.append(pod.spec.resources.requests)
    return {name for amounts in requests for name in amounts if is_huge_pages(name)}
