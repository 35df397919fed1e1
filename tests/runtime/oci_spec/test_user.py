"""Users: every combination that CRI allows, resolved by passwd and group files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.runtime.model.container import ContainerSecurity, GroupsPolicy, User
from podwright.runtime.oci_spec.user import parse_group, parse_passwd, resolve

# 2000 and 4000 are names as well: whoever asks for these numbers is not to become root.
PASSWD = (
    "2000:x:0:0::/root:/bin/sh\nroot:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:\n# comment\nbroken\n"
    "me:x:1000:1000::/:\n\u0665\u0665:x:\u0665:\u0665::/:\n"
)
GROUP = "4000:x:42:other\nroot:x:0:\nweb:x:34:\nme:x:1000:\nextra:x:50000:me,other\nbad:x:abc:me\n"


@pytest.mark.parametrize(
    ("security", "image", "user"),
    [
        ({}, "", User(uid=0, gid=0, groups=(0,))),
        ({}, "web", User(uid=33, gid=34, groups=(34,))),
        ({}, "33", User(uid=33, gid=34, groups=(34,))),
        ({}, "web:extra", User(uid=33, gid=50000, groups=(50000,))),
        ({}, "1002", User(uid=1002, gid=0, groups=(0,))),
        ({}, "1003:1003", User(uid=1003, gid=1003, groups=(1003,))),
        ({"run_as_user": 33}, "me", User(uid=33, gid=34, groups=(34,))),
        ({"run_as_user": 7}, "me:me", User(uid=7, gid=0, groups=(0,))),
        ({"run_as_user": 7, "run_as_group": 8}, "", User(uid=7, gid=8, groups=(8,))),
        ({"run_as_username": "me"}, "web", User(uid=1000, gid=1000, groups=(1000, 50000))),
        ({"run_as_username": "me", "run_as_user": 33}, "", User(uid=1000, gid=1000, groups=(1000, 50000))),
        ({"run_as_username": "me", "run_as_group": 5}, "", User(uid=1000, gid=5, groups=(5, 50000))),
        ({"run_as_user": 2000}, "", User(uid=2000, gid=0, groups=(0,))),
        ({"run_as_user": 2000, "run_as_group": 4000}, "", User(uid=2000, gid=4000, groups=(4000,))),
        ({"run_as_user": 33, "run_as_group": 4000}, "", User(uid=33, gid=4000, groups=(4000,))),
        ({"run_as_username": "2000"}, "", User(uid=2000, gid=0, groups=(0,))),
        ({}, "2000", User(uid=2000, gid=0, groups=(0,))),
        ({}, "+2000:4000", User(uid=2000, gid=4000, groups=(4000,))),
        ({}, "web:4000", User(uid=33, gid=4000, groups=(4000,))),
        ({"supplemental_groups": (1234,)}, "1000", User(uid=1000, gid=1000, groups=(1000, 1234, 50000))),
        (
            {"supplemental_groups": (1234,), "groups_policy": GroupsPolicy.STRICT},
            "1000",
            User(uid=1000, gid=1000, groups=(1000, 1234)),
        ),
    ],
)
def test_resolution(security: dict[str, Any], image: str, user: User) -> None:
    assert resolve(ContainerSecurity(**security), image, PASSWD, GROUP) == user


def test_numbers_need_no_files() -> None:
    assert resolve(ContainerSecurity(run_as_user=5), "", "", "") == User(uid=5, gid=0, groups=(0,))


@pytest.mark.parametrize(
    ("security", "image", "words"),
    [
        ({"run_as_group": 1}, "", "run_as_group"),
        ({"run_as_username": "ghost"}, "", "no user 'ghost'"),
        ({}, "ghost", "no user 'ghost'"),
        ({}, "\u0665", "no user"),
        ({}, "9" * 5000, "no user"),
        ({}, "-1", "out of range"),
        ({}, "web:ghosts", "no group 'ghosts'"),
        ({"run_as_user": 2**31}, "", "out of range"),
        ({"run_as_user": -1}, "", "out of range"),
        ({"supplemental_groups": (-5,)}, "", "out of range"),
    ],
)
def test_refusals(security: dict[str, Any], image: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        resolve(ContainerSecurity(**security), image, PASSWD, GROUP)


@given(st.text(), st.text())
def test_parsers_take_anything(passwd: str, group: str) -> None:
    parse_passwd(passwd)
    parse_group(group)
