from __future__ import annotations

from typing import Any

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.config import parse_config
from podwright.runtime.image.pulling.policy import Policy


def policy(document: dict[str, Any]) -> Policy:
    return Policy(parse_config({"signatures": document}, "test").signatures)


SIGNED = {"action": "signed", "keys": ["/k"]}
RULES: dict[str, Any] = {
    "default": {"action": "reject"},
    "rules": {
        "docker.io": {"action": "accept"},
        "docker.io/library": {**SIGNED, "signed_as": "quay.io/copied"},
        "reg.test:5000/team/app": SIGNED,
    },
}


@pytest.mark.parametrize(
    ("name", "action", "identity"),
    [
        ("docker.io/user/app", "accept", "docker.io/user/app"),
        ("docker.io/library/busybox", "signed", "quay.io/copied/busybox"),
        ("docker.io/libraryx/busybox", "accept", "docker.io/libraryx/busybox"),
        ("docker.io.evil.test/library/busybox", "reject", "docker.io.evil.test/library/busybox"),
        ("reg.test:5000/team/app", "signed", "reg.test:5000/team/app"),
        ("reg.test:5000/team/app/sub", "signed", "reg.test:5000/team/app/sub"),
        ("reg.test:5000/team/apple", "reject", "reg.test:5000/team/apple"),
        ("reg.test:5000/team", "reject", "reg.test:5000/team"),
    ],
)
def test_the_longest_prefix_counts(name: str, action: str, identity: str) -> None:
    requirement = policy(RULES).requirement(name)
    assert (requirement.action, requirement.identity) == (action, identity)


def test_nothing_is_asked_unless_configured() -> None:
    assert policy({}).requirement("docker.io/library/busybox").action == "accept"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"default": {"action": "signed"}}, "default: action signed needs keys"),
        ({"default": {"action": "maybe"}}, "maybe"),
        ({"default": {**SIGNED, "signed_as": "x"}}, "signed_as replaces a prefix"),
        ({"rules": {"a": {"action": "signed", "keys": []}}}, "a: action signed needs keys"),
        ({"rules": {"a": {"action": "signed", "keys": ["relative"]}}}, "absolute"),
        ({"rules": {"a": {"action": "accept", "keys": ["/k"]}}}, "keys and signed_as need action signed"),
        ({"rules": {"a/": {"action": "accept"}}}, "'a/' is not a registry or repository"),
        ({"rules": {"": {"action": "accept"}}}, "'' is not a registry or repository"),
        ({"rules": {"a@sha256:0": {"action": "accept"}}}, "is not a registry or repository"),
        ({"rules": {"a": {"actoin": "accept"}}}, r"signatures\.rules\.a\.actoin .*signatures\.rules\.a\.action"),
        ({"rules": {"a": {}}}, "action"),
    ],
)
def test_rules_that_cannot_be_followed(document: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        policy(document)
