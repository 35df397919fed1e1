"""How the list of containers names their images, whatever the runtime tells of them."""

from __future__ import annotations

import pytest

from podwright.cli.commands.ps import image_name
from podwright.cri.v1 import api_pb2 as api

HEX = "0123456789abcdef" * 4
ID = f"sha256:{HEX}"
DIGEST = f"sha256:{HEX[::-1]}"


@pytest.mark.parametrize(
    ("image", "specified", "ref", "shown"),
    [
        ("busybox:1", "", ID, "busybox:1"),
        (ID, "busybox:1", ID, "busybox:1"),
        (ID, "", ID, HEX[:13]),
        (HEX, "", HEX, HEX[:13]),
        (HEX, "", f"localhost:5000/busybox@{DIGEST}", f"localhost:5000/busybox@{HEX[::-1][:13]}"),
        (f"busybox@{DIGEST}", "", ID, f"busybox@{DIGEST}"),
        ("", "", "", ""),
    ],
    ids=["name", "specified", "id", "bare-id", "cri-o", "by-digest", "nothing"],
)
def test_an_image_by_the_best_name_that_is_told(image: str, specified: str, ref: str, shown: str) -> None:
    spec = api.ImageSpec(image=image, user_specified_image=specified)
    assert image_name(api.Container(image=spec, image_ref=ref)) == shown


def test_whole_ids() -> None:
    spec = api.ImageSpec(image=HEX)
    assert image_name(api.Container(image=spec, image_ref=HEX), whole=True) == HEX
    assert image_name(api.Container(image=spec, image_ref=f"a@{DIGEST}"), whole=True) == f"a@{DIGEST}"
