"""What a word means."""

from __future__ import annotations

import pytest

from podwright.cli.lookup import LookupCandidate, choose
from podwright.errors import InvalidArgument, NotFound

THINGS = [
    LookupCandidate(kind="container", id="aa11" + "0" * 60, names=("web", "shop/web"), created_ns=1),
    LookupCandidate(kind="container", id="aa22" + "0" * 60, names=("web", "shop/web"), created_ns=2),
    LookupCandidate(kind="container", id="bb11" + "0" * 60, names=("db", "shop/db"), created_ns=3),
    LookupCandidate(kind="container", id="bb22" + "0" * 60, names=("db", "blog/db"), created_ns=4),
    LookupCandidate(kind="pod", id="cc11" + "0" * 60, names=("shop",), created_ns=5),
    LookupCandidate(kind="image", id="sha256:dd11" + "0" * 60, names=("busybox:1",)),
    LookupCandidate(kind="container", id="ee" + "1" * 62, names=("cc11",), created_ns=6),
]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        pytest.param("aa1", "aa11", id="start of an id"),
        pytest.param("bb22" + "0" * 60, "bb22", id="whole id"),
        pytest.param("web", "aa22", id="newest attempt of a name"),
        pytest.param("blog/db", "bb22", id="name with its pod"),
        pytest.param("shop", "cc11", id="pod"),
        pytest.param("dd1", "sha256:dd11", id="image id without its algorithm"),
        pytest.param("sha256:dd1", "sha256:dd11", id="image id"),
        pytest.param("cc11", "ee", id="a name goes before the start of an id"),
    ],
)
def test_found(word: str, found: str) -> None:
    assert choose(word, THINGS).id.startswith(found)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("aa", "container aa1100000000 (shop/web), container aa2200000000 (shop/web) (use more digits of the id)"),
        (
            "db",
            "container bb1100000000 (shop/db), container bb2200000000 (blog/db) (use a longer name,",
        ),
        ("", "the name is empty"),
    ],
)
def test_ambiguous(word: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        choose(word, THINGS)
    assert message in str(caught.value)


def test_unknown() -> None:
    with pytest.raises(NotFound):
        choose("nope", THINGS)
    with pytest.raises(NotFound):
        choose("nope", [])
