"""The hash of a container's definition."""

from __future__ import annotations

from podwright.agent.pods.hashes import container_hash
from tests.agent.fakes.pods import container


def test_it_is_the_kubelet_s() -> None:
    """The value is that of the kubelet's own test, which must never change (pkg/kubelet/container/helpers_test.go)."""
    assert container_hash(container("test_container", image="foo/image:v1", args=("echo",))) == "8e45cbd0"


def test_name_and_image_alone_count() -> None:
    one = container("a", image="i")
    assert container_hash(one) == container_hash(container("a", image="i", command=("x",)))
    assert len({container_hash(each) for each in (one, container("b", image="i"), container("a", image="j"))}) == 3
