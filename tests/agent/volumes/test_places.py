"""The kubelet's layout on disk."""

from __future__ import annotations

import pytest

from podwright.agent.volumes import places
from podwright.errors import InvalidArgument

POD = "/var/lib/kubelet/pods/u1"


def test_the_layout_is_the_kubelets() -> None:
    assert places.volume_directory(POD, places.SECRET, "s") == f"{POD}/volumes/kubernetes.io~secret/s"
    assert places.ready_directory(POD, "e", is_wrapped=False) == f"{POD}/plugins/kubernetes.io~empty-dir/e"
    assert places.ready_directory(POD, "s", is_wrapped=True) == f"{POD}/plugins/kubernetes.io~empty-dir/wrapped_s"
    assert places.subpath_target(POD, "v", "main", 2) == f"{POD}/volume-subpaths/v/main/2"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0", "x" * 256])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="cannot be the name of a file"):
        places.volume_directory(POD, places.SECRET, name)
