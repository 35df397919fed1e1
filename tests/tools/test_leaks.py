"""The leak check sees what it promises to see, and the sweep takes it away."""

from __future__ import annotations

import functools
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from tests.harness.scratch import Part, Scratch, Share
from tests.harness.sweep import sweep
from tools.leaks import Scope, Thing, leaked, report, snapshot
from tools.leaks.cgroups import hierarchies
from tools.leaks.devices import devices


@pytest.fixture
def part(scratch: Scratch) -> Iterator[Part]:
    """A part whose leftovers are swept even when a test fails."""
    own = scratch.part("leaks")
    yield own
    sweep(own.scope, settle_s=0)


def kinds(things: list[Thing]) -> set[str]:
    return {thing.kind for thing in things}


@pytest.mark.root
def test_mounts_links_tables_cgroups_and_processes_are_found_and_swept(part: Part) -> None:
    before = snapshot(part.scope)
    point = part.directory / "mnt"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    subprocess.run(["ip", "link", "add", part.bridge, "type", "bridge"], check=True)
    subprocess.run(["nft", "add", "table", "ip", part.bridge], check=True)
    group = Path(hierarchies()[0] + part.cgroup_parent, "c" * 64)
    group.mkdir(parents=True)
    with subprocess.Popen(["sleep", "1000"], cwd=part.directory) as sleeper:
        found = leaked(before, part.scope, whole_host=False, settle_s=0)
        assert kinds(found) == {"mount", "link", "rule", "cgroup", "process"}
        assert {thing.kind for thing in sweep(part.scope, settle_s=0)} == kinds(found)
        assert sleeper.wait(patient(60)) == -9
    assert leaked(before, part.scope, whole_host=False, settle_s=0) == []


@pytest.mark.root
def test_a_device_node_that_was_given_away_is_found(tmp_path: Path) -> None:
    node = tmp_path / "null"
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    node.chmod(0o666)
    source = functools.partial(devices, nodes=(str(node), str(tmp_path / "absent")))
    before = snapshot(Scope(), (source,))
    assert snapshot(Scope(), (source,)) == before
    os.chown(node, 4321, 4321)
    (changed,) = snapshot(Scope(), (source,)) - before
    assert changed.name == f"{node} belongs to 4321:4321 and has mode 0666"


@pytest.mark.root
def test_packet_filter_rules_with_our_addresses_are_found(part: Part) -> None:
    before = snapshot(part.scope)
    table = f"t_{part.bridge}"
    subprocess.run(["nft", "add", "table", "ip", table], check=True)
    try:
        subprocess.run(["nft", "add", "chain", "ip", table, "c"], check=True)
        subprocess.run(
            ["nft", "add", "rule", "ip", table, "c", "ip", "saddr", str(part.subnet), "counter"], check=True
        )
        found = leaked(before, part.scope, whole_host=False, settle_s=0)
    finally:
        subprocess.run(["nft", "delete", "table", "ip", table], check=True)
    assert kinds(found) == {"rule"}
    assert any(str(part.subnet) in thing.name for thing in found)


def test_a_scope_holds_its_roots_and_what_is_below_but_no_neighbour() -> None:
    scope = Scope(roots=("/tmp/a",))
    assert [scope.holds(path) for path in ("/tmp/a", "/tmp/a/b", "/tmp/ab", "/tmp")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("/tmp/s/x1/etc", True),
        ("/tmp/s/x10/etc", False),
        ("table ip pwtagx1", True),
        ("table ip pwtagx10", False),
        ("0::/pwt/x1/pod", True),
        ("0::/pwt/x10", False),
        ("saddr 10.7.3.0/24", True),
        ("saddr 110.7.3.0/24", False),
        ("saddr 10.10.7.3", False),
    ],
)
def test_a_numbered_name_is_told_from_a_longer_number(text: str, ours: bool) -> None:
    scope = Scope(roots=("/tmp/s/x1",), links=("pwtagx1",), cgroups=("/pwt/x1",), addresses=("10.7.3.",))
    assert scope.mentioned_in(text) is ours


def test_the_links_of_a_share_are_those_of_its_parts(tmp_path: Path) -> None:
    share = Share(tag="abc001", directory=str(tmp_path), cgroup_parent="/pwt", network="10.0.0.0/17")
    one, ten = share.of(1), share.of(10)
    bridges = [Scratch(each).part("x").bridge for each in (share, one, ten)]
    assert [share.scope().has_link(bridge) for bridge in bridges] == [True, True, True]
    assert [one.scope().has_link(bridge) for bridge in bridges] == [False, True, False]


def test_an_empty_scope_recognises_nothing() -> None:
    assert not Scope().mentioned_in("anything")
    assert all(not thing.ours for thing in snapshot(Scope()))


def test_the_report_groups_by_kind_and_marks_what_is_not_traced() -> None:
    text = report([Thing(kind="link", name="veth1"), Thing(kind="mount", name="/x", detail="tmpfs", ours=True)])
    assert text.splitlines()[1:] == [
        "  link",
        "    veth1  [not traced to this run]",
        "  mount",
        "    /x",
        "      tmpfs",
    ]


def test_this_process_is_never_a_finding() -> None:
    scope = Scope(roots=(os.getcwd(),))
    assert not [t for t in snapshot(scope) if t.kind == "process" and t.name.split()[0] == str(os.getpid())]
