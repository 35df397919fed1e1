from __future__ import annotations

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.image import lookup
from podwright.runtime.image.pulling import describe
from podwright.runtime.image.records import ImageRecord, ImageTarget
from podwright.runtime.model.ids import ImageId
from podwright.runtime.model.image import Image

ONE, TWO = ("sha256:" + digit * 64 for digit in "12")
CAFE = "sha256:cafe" + "0" * 60
TARGET = ImageTarget(digest=ONE, manifest=ONE, listed=ONE, listed_bytes=1, blobs=())


def record(image_id: str, *names: str) -> ImageRecord:
    return ImageRecord(image=Image(id=ImageId(image_id), size_bytes=1), targets=dict.fromkeys(names, TARGET))


RECORDS: dict[str, ImageRecord] = {
    one.image.id: one
    for one in (
        record(ONE, "docker.io/library/busybox:latest", f"docker.io/library/busybox@{ONE}"),
        record(TWO, "docker.io/library/cafe:latest"),
        record(CAFE, "reg.example:5000/app:1"),
        record("sha256:11" + "2" * 62),
    )
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("busybox", ONE),
        ("library/busybox", ONE),
        ("docker.io/busybox:latest", ONE),
        (f"busybox@{ONE}", ONE),
        (f"busybox:any@{ONE}", ONE),
        ("busybox:2", None),
        ("reg.example:5000/app:1", CAFE),
        (ONE, ONE),
        (ONE[7:], ONE),
        ("111", ONE),
        ("sha256:2", TWO),
        ("cafe", TWO),  # a name comes before a prefix
        ("cafe0", CAFE),
        ("f00d", None),
        ("Not A Name", None),
    ],
)
def test_find(name: str, expected: str | None) -> None:
    found = lookup.find(RECORDS, name)
    assert (found.image.id if found else None) == expected


@pytest.mark.parametrize("name", ["", "1", "11", "sha256:11"])
def test_nothing_and_too_much(name: str) -> None:
    with pytest.raises(InvalidArgument):
        lookup.find(RECORDS, name)


def test_chain_ids() -> None:
    """The example of the image specification, in our digests."""
    first, second, third = describe.chain_ids([ONE, TWO, ONE])
    assert first == ONE
    assert len({first, second, third}) == 3
    assert describe.chain_ids([]) == []
