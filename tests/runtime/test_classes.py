"""Block I/O classes of a file, and RDT classes of the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.classes import ResourceClasses, amount

FILE = """
Classes:
  slow:
  - Weight: 80
  - Devices: [/dev/no-such-*, /dev/null]
    ThrottleReadBps: 10M
    ThrottleWriteIOPS: 1Ki
"""


def spec() -> dict[str, Any]:
    return {"linux": {"resources": {"cpu": {}}}}


def test_a_class_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text(FILE)
    document = spec()
    ResourceClasses(str(path)).apply(document, blockio="slow")
    assert document["linux"]["resources"] == {"cpu": {}, "blockIO": {"weight": 80}}  # null is no block device
    with pytest.raises(FailedPrecondition, match=r"no Block I/O class 'fast' \(known classes: slow\)"):
        ResourceClasses(str(path)).apply(document, blockio="fast")


@pytest.mark.parametrize("text", ["{", "Classes: [1]", "Classes: {slow: [{Devices: 3}]}", "Classes: {slow: [{X: 3}]}"])
def test_a_file_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text(text)
    with pytest.raises(FailedPrecondition, match=r"classes\.yaml"):
        ResourceClasses(str(path)).apply(spec(), blockio="slow")


def test_nothing_is_configured() -> None:
    with pytest.raises(FailedPrecondition, match="no file is configured"):
        ResourceClasses("").apply(spec(), blockio="slow")


def test_rdt_classes(tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    document = spec()
    ResourceClasses("", resctrl=str(tmp_path)).apply(document, rdt="gold")
    assert document["linux"]["intelRdt"] == {"closID": "gold"}
    with pytest.raises(FailedPrecondition, match="no RDT class tin"):
        ResourceClasses("", resctrl=str(tmp_path)).apply(document, rdt="tin")
    with pytest.raises(FailedPrecondition, match="needs the kernel's resctrl"):
        ResourceClasses("", resctrl=str(tmp_path / "none")).apply(document, rdt="tin")
    with pytest.raises(InvalidArgument, match="no name"):
        ResourceClasses("", resctrl=str(tmp_path)).apply(document, rdt="../x")


@pytest.mark.parametrize(("text", "number"), [(5, 5), ("5", 5), ("10M", 10**7), ("2Ki", 2048)])
def test_amounts(text: str | int, number: int) -> None:
    assert amount(text) == number


def test_what_is_no_amount() -> None:
    with pytest.raises(FailedPrecondition):
        amount("10 M")
