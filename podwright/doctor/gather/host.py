"""This process, its cgroups and limits, the distribution, the clock."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import stat
import time

from podwright.doctor.facts import CgroupFacts, LimitFacts, SystemFacts
from podwright.doctor.gather.files import read_integer, read_text
from podwright.linux.capabilities import held_by_this_process
from podwright.linux.cgroup import CgroupHost, detect

INITIAL_UID_MAP = ["0", "0", "4294967295"]
# struct timex of adjtimex(2): `status` follows modes (padded), offset, freq, maxerror and esterror.
TIMEX_BYTES = 256
TIMEX_STATUS_OFFSET = 40
STA_UNSYNC = 0x40


def gather_host() -> SystemFacts:
    """Facts about this process and its host."""
    return SystemFacts(
        architecture=platform.machine(),
        distribution=distribution(read_text("/etc/os-release")),
        has_systemd=os.path.isdir("/run/systemd/system"),  # sd_booted(3)
        uid=os.geteuid(),
        dev_null=owner_and_mode("/dev/null"),
        in_user_namespace=read_text("/proc/self/uid_map").split() not in ([], INITIAL_UID_MAP),
        capabilities=held_by_this_process(),
    )


def owner_and_mode(path: str) -> tuple[int, int, int]:
    """The user, the group and the permissions of a file. Raises OSError."""
    facts = os.stat(path)
    return facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)


def distribution(os_release: str) -> frozenset[str]:
    """The ID and ID_LIKE values of os-release(5)."""
    words: set[str] = set()
    for line in os_release.splitlines():
        key, _, value = line.partition("=")
        if key in ("ID", "ID_LIKE"):
            words.update(value.strip("\"'").split())
    return frozenset(words)


def gather_cgroups() -> CgroupFacts:
    """The layout, and the controllers of either version."""
    host = detect()
    controllers = {name for name in host.controllers if not name.startswith("name=")} | host.unified_controllers
    return CgroupFacts(
        layout=host.layout,
        controllers=frozenset(controllers),
        unified_controllers=host.unified_controllers,
        writable=_is_writable(host),
    )


def _is_writable(host: CgroupHost) -> bool:
    return all(os.access(directory, os.W_OK) for directory in host.directories("/"))


def gather_limits() -> LimitFacts:
    """The limits that a daemon started from here would inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return LimitFacts(
        nofile_soft=soft,
        nofile_hard=hard,
        inotify_instances=read_integer("/proc/sys/fs/inotify/max_user_instances"),
        time_s=time.time(),
        clock_synchronised=_clock_synchronised(),
    )


def _clock_synchronised() -> bool | None:
    """The state of the kernel's clock discipline, or None if unknown."""
    timex = ctypes.create_string_buffer(TIMEX_BYTES)
    if ctypes.CDLL(None).adjtimex(timex) < 0:
        return None
    status = int.from_bytes(timex.raw[TIMEX_STATUS_OFFSET : TIMEX_STATUS_OFFSET + 4], "little")
    return not status & STA_UNSYNC
