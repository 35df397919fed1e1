"""Sizes of huge pages: from the API's format (hugepages-2Mi) to that of CRI and the kernel (2MB)."""

from __future__ import annotations

from podwright.k8s.quantity import whole
from podwright.linux.huge_pages import spelt

PREFIX = "hugepages-"


def page_size(resource: str) -> str:
    """The size in a resource's name. Raises InvalidArgument for an invalid size."""
    return spelt(whole(resource.removeprefix(PREFIX)))
