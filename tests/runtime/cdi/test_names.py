from __future__ import annotations

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.cdi.names import requested


def test_the_field_comes_first_and_each_device_once() -> None:
    annotations = {
        "cdi.k8s.io/b_plugin": "v.com/gpu=2,v.com/gpu=1",
        "cdi.k8s.io/a_plugin": "v.com/net=0:1",
        "other.io/x": "not a device",
    }
    names = requested(("v.com/gpu=1", "w/c=all", "v.com/gpu=1"), annotations)
    assert names == ("v.com/gpu=1", "w/c=all", "v.com/net=0:1", "v.com/gpu=2")


@pytest.mark.parametrize(
    "name",
    ["", "gpu", "v.com/gpu", "v.com/gpu=", "=x", "/gpu=1", "v.com/=1", "1v/gpu=1", "v/g/h=1", "v/g=a=b", "v/g=-1",
     "v/g=1-", "v-/g=1", " v/g=1", "v/g=1\n", "v/g=é", "/dev/null"],
)  # fmt: skip
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidArgument, match="CDI device"):
        requested((name,), {})
    with pytest.raises(InvalidArgument, match="CDI device"):
        requested((), {"cdi.k8s.io/x": f"v/g=1,{name}"})
