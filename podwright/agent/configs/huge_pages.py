"""Sizes of huge pages, as the API writes them (hugepages-2Mi) and as CRI and the kernel's files do (2MB)."""

from __future__ import annotations

from podwright.k8s.quantity import whole
from podwright.linux.huge_pages import spelt

PREFIX = "hugepages-"


def page_size(resource: str) -> str:
    """The size in a resource's name. Raises InvalidArgument for what is no size."""
    return spelt(whole(resource.removeprefix(PREFIX)))
