"""Which cgroup has a container's limits, in trees as crun makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.linux.cgroup import CgroupHost, Layout
from podwright.runtime.handlers.processes.cgroups import limited

SCOPE = "/kubepods.slice/podwright-c.scope"


@pytest.mark.parametrize(
    ("layout", "there", "path", "found"),
    [
        pytest.param("v2", f"{SCOPE}/container", SCOPE, f"{SCOPE}/container", id="crun in a scope"),
        pytest.param("v2", SCOPE, SCOPE, SCOPE, id="runc in a scope"),
        pytest.param("v2", f"{SCOPE}/other", SCOPE, SCOPE, id="one of the container's own"),
        pytest.param("v2", "/pods/c/container", "/pods/c", "/pods/c", id="no scope"),
        pytest.param("v2", "/pods", SCOPE, SCOPE, id="gone"),
        pytest.param("hybrid", f"{SCOPE}/container", SCOPE, SCOPE, id="limits on v1"),
    ],
)
def test_limited(tmp_path: Path, layout: Layout, there: str, path: str, found: str) -> None:
    (tmp_path / there.strip("/")).mkdir(parents=True)
    assert limited(CgroupHost(layout=layout, unified=str(tmp_path)), path) == found
