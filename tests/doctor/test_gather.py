"""Looking at the machine: parsers with texts of other machines, trials on this one."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from podwright.doctor.gather.everything import gather
from podwright.doctor.gather.host import distribution, owner_and_mode
from podwright.doctor.gather.kernel import numbers
from podwright.doctor.gather.link_trial import new_link_message, reply_errno, try_links
from podwright.doctor.gather.network import first_config, plugin_types
from podwright.doctor.gather.overlay_trial import try_overlay
from podwright.doctor.gather.programs import find_runtimes, look_at, parse_features, version_of
from podwright.doctor.gather.security import profile_error
from podwright.doctor.gather.storage import gather_storage
from podwright.doctor.options import DoctorOptions
from podwright.process import PosixProcessRunner
from tests.cli.conftest import run_cli


@pytest.mark.parametrize(
    ("text", "found"),
    [("6.18.44-fc-v657", (6, 18, 44)), ("5.4", (5, 4)), ("1.1.5+ds1", (1, 1, 5)), ("", ()), ("none", ())],
)
def test_numbers(text: str, found: tuple[int, ...]) -> None:
    assert numbers(text) == found


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("crun version 1.8.1", "1.8.1"),
        ("runc version 1.1.5+ds1", "1.1.5+ds1"),
        ("conmon version 2.1.6", "2.1.6"),
        ("nftables v1.0.6 (Lester Gooch #5)", "1.0.6"),
        ("iptables v1.8.9 (nf_tables)", "1.8.9"),
        ("Version: 3.17.1", "3.17.1"),
        ("runsc version release-20240930.0", "runsc version release-20240930.0"),
    ],
)
def test_versions(line: str, version: str) -> None:
    assert version_of(line) == version


def test_owners_and_modes(tmp_path: Path) -> None:
    tmp_path.chmod(0o1750)
    assert owner_and_mode(str(tmp_path)) == (os.geteuid(), tmp_path.stat().st_gid, 0o1750)


def test_distributions() -> None:
    assert distribution('ID=ubuntu\nID_LIKE="debian other"\nNAME=x\n') == {"ubuntu", "debian", "other"}
    assert distribution("") == frozenset()


@pytest.mark.parametrize(
    ("document", "types"),
    [
        (
            {"plugins": [{"type": "bridge", "ipam": {"type": "host-local"}}, {"type": "portmap"}]},
            ("bridge", "host-local", "portmap"),
        ),
        ({"type": "ptp"}, ("ptp",)),
    ],
)
def test_plugin_types(document: Any, types: tuple[str, ...]) -> None:
    assert plugin_types(document) == types


@pytest.mark.parametrize("document", [[], {}, {"plugins": []}, {"plugins": [{"name": "x"}]}, {"plugins": ["x"]}, "x"])
def test_configurations_that_are_none(document: Any) -> None:
    with pytest.raises(ValueError, match=r"it|plugin"):
        plugin_types(document)


def test_the_first_configuration_by_name(tmp_path: Path) -> None:
    assert first_config(str(tmp_path / "none")) == ("", (), "")
    assert first_config(str(tmp_path)) == ("", (), "")
    (tmp_path / "20-b.conf").write_text('{"type": "ptp"}')
    (tmp_path / "10-a.txt").write_text("no")
    assert first_config(str(tmp_path)) == (str(tmp_path / "20-b.conf"), ("ptp",), "")
    (tmp_path / "10-a.conflist").write_text("{")
    path, plugins, error = first_config(str(tmp_path))
    assert (path, plugins) == (str(tmp_path / "10-a.conflist"), ())
    assert error


def test_features_of_a_modern_runtime_and_of_a_silent_one() -> None:
    document = {
        "ociVersionMax": "1.2.0",
        "mountOptions": ["ro", "rro"],
        "linux": {
            "seccomp": {"enabled": True},
            "apparmor": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": True}},
        },
    }
    features = parse_features(document)
    assert (features.seccomp, features.apparmor, features.selinux) == (True, False, False)
    assert (features.idmapped_mounts, features.recursive_read_only) == (True, True)
    assert parse_features({"linux": None, "mountOptions": None}).seccomp is False


def test_seccomp_profiles(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    assert profile_error(str(file))
    file.write_text("{}")
    assert profile_error(str(file)) == "it has no defaultAction"
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO"}))
    assert profile_error(str(file)) == ""


def test_link_messages_are_as_long_as_they_say() -> None:
    message = new_link_message("bridge", "trial1", 1)
    assert int.from_bytes(message[:4], "little") == len(message)
    assert len(message) % 4 == 0


@pytest.mark.parametrize("reply", [b"", b"x" * 10, bytes(36)])
def test_replies_that_are_none(reply: bytes) -> None:
    assert reply_errno(reply) == errno.EPROTO


def test_a_root_that_does_not_exist_yet_is_looked_at_through_its_parent(tmp_path: Path) -> None:
    storage = gather_storage(str(tmp_path / "a" / "b"))
    assert storage.root == str(tmp_path.resolve())
    assert storage.total_bytes >= storage.free_bytes > 0
    assert storage.filesystem


async def test_programs_that_fail_are_facts_not_failures(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no library >&2; exit 127\n")
    broken.chmod(0o755)
    runner = PosixProcessRunner()
    assert await look_at(runner, "surely-not-installed") is None
    found = await look_at(runner, str(broken))
    assert found is not None
    assert found.error == "no library"
    runtimes = await find_runtimes(
        runner, (("a", str(broken)), ("b", "/nonexistent/b"), ("c", "surely-not-installed"))
    )
    assert [each.name for each in runtimes] == ["a", "b"]
    assert all(each.program.error for each in runtimes)


@pytest.mark.root
def test_trials_leave_nothing_behind(tmp_path: Path) -> None:
    links = set(os.listdir("/sys/class/net"))
    assert try_overlay(str(tmp_path)) == ""
    assert try_links() == {}
    assert os.listdir(tmp_path) == []
    assert set(os.listdir("/sys/class/net")) <= links  # another's may have gone meanwhile
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.root
def test_an_overlay_that_cannot_work_says_why(tmp_path: Path) -> None:
    assert try_overlay(str(tmp_path / "none")) == os.strerror(errno.ENOENT)
    assert try_overlay("/proc") != ""


@pytest.mark.root
async def test_this_machine(tmp_path: Path) -> None:
    facts = await gather(DoctorOptions(root=str(tmp_path), cni_conf_dir=str(tmp_path)), PosixProcessRunner())
    assert facts.kernel.namespaces >= {"mnt", "net", "pid"}
    assert facts.cgroups.layout != "none"
    assert facts.host.uid == 0
    assert {each.name for each in facts.runtimes} & {"crun", "runc"}


@pytest.mark.root
async def test_the_command(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'root = "{tmp_path}/root"\n')
    done = await run_cli("doctor", "--config", str(config), "-o", "json")
    assert done.err == ""
    assert done.code == (0 if done.json()["ready"] else 1)
    assert done.json()["facts"]["storage"]["root"] == str(tmp_path)
    config.write_text('[handlers.gone]\npath = "/nonexistent/runtime"\nconmon = "/nonexistent/conmon"\n')
    broken = await run_cli("doctor", "--config", str(config), "--root", str(tmp_path), "--problems")
    assert broken.code == 1
    assert "/nonexistent/conmon" in broken.out
    assert "cannot run pods yet" in broken.out
