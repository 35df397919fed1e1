"""The machine of the measurements, as far as it explains the numbers."""

from __future__ import annotations

import os
import platform

import msgspec

from podwright.errors import PodwrightError
from podwright.linux.machine_files import meminfo, read_text
from podwright.process import Command, PosixProcessRunner

VERSION_TIMEOUT_S = 10.0
# What the targets run: the first line of what each says of its version.
PROGRAMS = {
    "crun": ("crun", "--version"),
    "runc": ("runc", "--version"),
    "conmon": ("conmon", "--version"),
    "containerd": ("containerd", "--version"),
    "crio": ("crio", "--version"),
    "dockerd": ("dockerd", "--version"),
}


class BenchMachine(msgspec.Struct, frozen=True, kw_only=True):
    """`cpus` are those that this process may use. `programs` are the versions of installed programs."""

    system: str
    kernel: str
    architecture: str
    cpu_model: str
    cpus: int
    memory_bytes: int
    load_1min: float
    python: str
    programs: dict[str, str]


async def describe_machine() -> BenchMachine:
    """The machine as /proc, uname and the installed programs describe it."""
    programs = {name: await _version(argv) for name, argv in PROGRAMS.items()}
    return BenchMachine(
        system=_pretty_name(read_text("/etc/os-release")),
        kernel=platform.release(),
        architecture=platform.machine(),
        cpu_model=cpu_model(read_text("/proc/cpuinfo")),
        cpus=len(os.sched_getaffinity(0)),
        memory_bytes=meminfo(read_text("/proc/meminfo")).get("MemTotal", 0),
        load_1min=round(os.getloadavg()[0], 2),
        python=platform.python_version(),
        programs={name: version for name, version in programs.items() if version},
    )


async def _version(argv: tuple[str, ...]) -> str:
    """The first line of a program's version output. Empty if it is absent or fails."""
    try:
        done = await PosixProcessRunner().run(Command(argv=argv, timeout_s=VERSION_TIMEOUT_S))
    except PodwrightError:
        return ""
    return (done.stdout.decode(errors="replace").splitlines() or [""])[0] if done.returncode == 0 else ""


def cpu_model(cpuinfo: str) -> str:
    """The first CPU's name. Empty on architectures without names."""
    return _value(cpuinfo, "model name", ":")


def _pretty_name(os_release: str) -> str:
    return _value(os_release, "PRETTY_NAME", "=").strip('"')


def _value(text: str, key: str, separator: str) -> str:
    for line in text.splitlines():
        name, found, value = line.partition(separator)
        if found and name.strip() == key:
            return value.strip()
    return ""
