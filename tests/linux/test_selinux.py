"""SELinux labels as text and on files; attributes of files can be written on hosts without SELinux, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.linux import selinux
from podwright.linux.selinux import DEFAULT_CONTEXTS, Label, parse_contexts, parse_label

# As container-selinux ships it for Fedora and RHEL.
LXC_CONTEXTS = """\
process = "system_u:system_r:container_t:s0"
content = "system_u:object_r:virt_var_lib_t:s0"
file = "system_u:object_r:container_file_t:s0"
ro_file="system_u:object_r:container_ro_file_t:s0"
sandbox_kvm_process = "system_u:system_r:svirt_qemu_net_t:s0"
"""
LABEL = "system_u:object_r:container_file_t:s0:c1,c2"


def test_labels() -> None:
    label = parse_label(LABEL)
    assert label == Label(user="system_u", role="object_r", type="container_file_t", level="s0:c1,c2")
    assert str(label) == LABEL
    assert label is not None
    assert str(label.at("s0")) == "system_u:object_r:container_file_t:s0"
    assert parse_label("unconfined") is None


@given(st.text())
def test_parsers_never_raise(text: str) -> None:
    parse_label(text)
    parse_contexts(text)


def test_the_policys_contexts(tmp_path: Path) -> None:
    assert parse_contexts(LXC_CONTEXTS).file.type == "container_file_t"
    assert parse_contexts('process = "a:b:c:s0"\n').process == Label(user="a", role="b", type="c", level="s0")
    assert parse_contexts("") == DEFAULT_CONTEXTS
    assert selinux.contexts(str(tmp_path)) == DEFAULT_CONTEXTS
    folder = tmp_path / "etc" / "selinux" / "targeted" / "contexts"
    folder.mkdir(parents=True)
    (tmp_path / "etc" / "selinux" / "config").write_text("# a comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
    (folder / "lxc_contexts").write_text(LXC_CONTEXTS.replace("container_t", "other_t"))
    assert selinux.contexts(str(tmp_path)).process.type == "other_t"


def test_enabled(tmp_path: Path) -> None:
    assert not selinux.is_enabled(str(tmp_path))
    (tmp_path / "sys" / "fs" / "selinux").mkdir(parents=True)
    (tmp_path / "sys" / "fs" / "selinux" / "enforce").touch()
    assert selinux.is_enabled(str(tmp_path))


@given(st.integers(min_value=0, max_value=2**64))
def test_levels_are_pairs_of_categories(seed: int) -> None:
    first = selinux.free_level(seed, frozenset())
    low, high = (int(part[1:]) for part in first.removeprefix("s0:").split(","))
    assert 0 <= low < high < 1024
    second = selinux.free_level(seed, frozenset({first}))
    assert second != first
    assert selinux.free_level(seed, frozenset({first, second})) not in {first, second}


def test_all_levels_differ() -> None:
    taken: set[str] = set()
    for _ in range(300):
        taken.add(selinux.free_level(7, frozenset(taken)))
    assert len(taken) == 300


def _label(path: Path) -> str:
    return os.getxattr(path, selinux.ATTRIBUTE, follow_symlinks=False).decode()


@pytest.mark.root
def test_a_tree_is_relabelled_and_nothing_beside_it(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    (tree / "below").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").touch()
    (tree / "below" / "file").touch()
    (tree / "link").symlink_to(outside)
    selinux.relabel(str(tree), LABEL)
    for path in (tree, tree / "below", tree / "below" / "file", tree / "link"):
        assert _label(path) == LABEL + "\0"
    for path in (outside, outside / "file"):
        assert selinux.ATTRIBUTE not in os.listxattr(path)
    selinux.relabel(str(tree / "below" / "file"), "a:b:c:s0")
    assert _label(tree / "below" / "file") == "a:b:c:s0\0"


@pytest.mark.root
def test_a_filesystem_without_labels_is_left_alone() -> None:
    selinux.set_label("/proc/self/status", LABEL)


@pytest.mark.parametrize("path", ["/", "/etc", "/usr/../etc", "/var/lib/"])
def test_the_hosts_own_directories(path: str) -> None:
    with pytest.raises(PermissionError, match="cannot be relabelled"):
        selinux.relabel(path, LABEL)
