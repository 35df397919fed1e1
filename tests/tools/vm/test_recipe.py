"""What an image is made of, and the commands that make and boot it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tools.vm.failure import VmError
from tools.vm.machine import virtualizes
from tools.vm.mirror import sources
from tools.vm.qemu import Guest, qemu_argv
from tools.vm.recipe import Inputs, fingerprint, installed_from, mmdebstrap_argv
from tools.vm.systems import SYSTEMS
from tools.vm.wheels import download_argv

LISTING = """\
http://mirror.example/debian bookworm Debian
http://mirror.example/debian bookworm-updates Debian
http://mirror.example/security/ bookworm-security Debian-Security
https://other.example/apt bookworm Other
"""
INPUTS = Inputs(
    system=SYSTEMS["debian-13"], sources=("deb http://mirror.example/debian trixie main",), files={"a": "1"}
)


def test_the_machines_mirror_serves_another_release() -> None:
    assert sources(LISTING, "trixie") == (
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://mirror.example/security trixie-security main",
    )


def test_a_mirror_without_security_updates() -> None:
    (first, _) = sources("http://mirror.example/debian bookworm Debian\n", "bookworm")
    assert first == "deb http://mirror.example/debian bookworm main"


@pytest.mark.parametrize("listing", ["", "https://other.example/apt bookworm Other\n"])
def test_no_mirror_of_debian(listing: str) -> None:
    with pytest.raises(VmError, match="apt-get update"):
        sources(listing, "trixie")


@pytest.mark.parametrize(
    "other",
    [
        replace(INPUTS, system=SYSTEMS["debian-12"]),
        replace(INPUTS, sources=()),
        replace(INPUTS, files={"a": "2"}),
        replace(INPUTS, files={"b": "1"}),
    ],
    ids=["system", "sources", "text", "name"],
)
def test_every_input_names_another_image(other: Inputs) -> None:
    assert fingerprint(other) != fingerprint(INPUTS)
    assert fingerprint(replace(INPUTS)) == fingerprint(INPUTS)


PYPROJECT = """\
[build-system]
requires = ["setuptools"]
[project]
name = "podwright"
readme = "README.md"
[tool.setuptools.packages.find]
include = ["podwright*"]
[tool.ruff]
line-length = 119
"""


def test_what_an_installation_reads() -> None:
    def read(old: str = "", new: str = "", readme: str = "") -> dict[str, str]:
        return installed_from({"pyproject.toml": PYPROJECT.replace(old, new), "README.md": readme, "a.lock": "1"})

    assert read() == read("119", "100") == read(readme="# Podwright")
    assert read() != read("podwright*", "other*")
    assert read() != read('"setuptools"', '"flit"')
    assert read()["a.lock"] == "1"


def test_mmdebstrap_takes_the_release_and_its_sources_last() -> None:
    argv = mmdebstrap_argv(INPUTS, stage=Path("/stage"), root=Path("/root"))
    assert argv[argv.index("trixie") :] == ("trixie", "/root", *INPUTS.sources)
    assert sum(word.startswith("--include=") and "apparmor" in word for word in argv) == 1


def test_wheels_are_those_of_the_guests_python() -> None:
    argv = download_argv(Path("/lock"), Path("/wheels"), "3.13")
    assert {"--python-version=3.13", "--abi=cp313", "--abi=abi3", "--only-binary=:all:", "--require-hashes"} <= set(
        argv
    )


def test_a_guest_reaches_nothing_outside() -> None:
    guest = Guest(
        kernel=Path("/k"),
        initrd=Path("/i"),
        overlay=Path("/o"),
        console=Path("/c"),
        port=2222,
        accelerator="tcg",
        nice=15,
    )
    argv = qemu_argv(guest)
    assert "user,id=lan,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22" in argv
    assert argv[argv.index("-accel") + 1] == "tcg,thread=single"
    assert "-accel kvm" in " ".join(qemu_argv(replace(guest, accelerator="kvm")))


@pytest.mark.parametrize(
    ("flags", "expected"), [("fpu vmx ssse3", True), ("fpu svm", True), ("fpu hypervisor vmx_like", False)]
)
def test_kvm_needs_a_processor_that_virtualizes(flags: str, *, expected: bool) -> None:
    assert virtualizes(f"processor\t: 0\nflags\t\t: {flags}\n") is expected
