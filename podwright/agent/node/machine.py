"""The facts about this machine, read once when the agent starts."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import socket
from collections.abc import Mapping

import msgspec

from podwright.linux import huge_pages
from podwright.linux.machine_files import BOOT_ID, TASK_LIMITS, meminfo, read_text, task_limit

# systemd-resolved's stub listens on the host's loopback, which a pod cannot reach; this file has the real servers.
RESOLVED_STUB = "127.0.0.53"
RESOLVED_UPLINKS = "/run/systemd/resolve/resolv.conf"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}  # to Go's names (GOARCH)


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine. Sizes are bytes. `huge_pages` has the memory in huge pages by their size."""

    hostname: str
    addresses: tuple[str, ...]  # of the default routes, IPv4 first; or as `addresses` chooses for a node
    cpu_count: int
    memory_bytes: int
    swap_bytes: int = 0
    max_pids: int = 0  # the greatest number of tasks; 0 if unknown
    huge_pages: Mapping[int, int] = msgspec.field(default_factory=dict)
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    kernel_version: str = ""
    os_image: str = ""
    architecture: str = ""


def read_machine(root: str = "/") -> Machine:
    """Read the machine whose files are below `root`. What cannot be read stays empty."""
    memory = meminfo(read_text(f"{root}/proc/meminfo"))
    machine_id = read_text(f"{root}/etc/machine-id").strip() or read_text(f"{root}/var/lib/dbus/machine-id").strip()
    return Machine(
        hostname=socket.gethostname(),
        addresses=default_addresses(),
        cpu_count=len(os.sched_getaffinity(0)) or os.cpu_count() or 1,
        memory_bytes=memory.get("MemTotal", 0),
        swap_bytes=memory.get("SwapTotal", 0),
        max_pids=_max_pids(f"{root}/proc/sys/kernel"),
        huge_pages=_huge_pages(f"{root}{huge_pages.FOLDER}"),
        machine_id=machine_id,
        system_uuid=read_text(f"{root}/sys/class/dmi/id/product_uuid").strip() or machine_id,
        boot_id=read_text(f"{root}{BOOT_ID}").strip(),
        kernel_version=platform.release(),
        os_image=_os_image(read_text(f"{root}/etc/os-release")),
        architecture=ARCHITECTURES.get(platform.machine(), platform.machine()),
    )


def node_name(machine: Machine, override: str) -> str:
    """The node's name: the override or the hostname, in lower case as with a kubelet."""
    return (override or machine.hostname).strip().lower()


def resolver_path(path: str, uplinks: str = RESOLVED_UPLINKS) -> str:
    """The resolv.conf that pods inherit: `path`, or systemd-resolved's own file if `path` leads to its stub.

    If `uplinks` does not exist, it is `path`. See systemd-resolved.service(8).
    """
    is_stub = any(line.split()[:2] == ["nameserver", RESOLVED_STUB] for line in read_text(path).splitlines())
    return uplinks if is_stub and os.path.exists(uplinks) else path


def default_addresses() -> tuple[str, ...]:
    """The source addresses of the default routes. Connecting a datagram socket sends nothing."""
    found = []
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            found.append(str(probe.getsockname()[0]))
    return tuple(found) or ("127.0.0.1",)


def _max_pids(folder: str) -> int:
    return task_limit(read_text(f"{folder}/{name}") for name in TASK_LIMITS) or 0


def _huge_pages(folder: str) -> dict[int, int]:
    counts = {
        size: read_text(f"{directory}/nr_hugepages").strip() for size, directory in huge_pages.pages(folder).items()
    }
    return {size_bytes: size_bytes * int(count) for size_bytes, count in counts.items() if count.isdigit()}


def _os_image(text: str) -> str:
    """PRETTY_NAME of os-release(5)."""
    match = re.search(r'^PRETTY_NAME=(?:"([^"]*)"|\'([^\']*)\'|(.*))$', text, re.MULTILINE)
    return next((part for part in match.groups() if part), "") if match else ""
