"""Measures the whole machine: memory, swap, network, process ids. Pure except for `read`, which returns a file's text.

cgroup v2's root has no memory files, and v1's lacks the kernel's memory. /proc/meminfo has both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import msgspec

from podwright.agent.stats.records import Interface, Moment, Rlimit, SummaryMemory, SummaryNetwork, Swap
from podwright.linux.machine_files import TASK_LIMITS, meminfo, task_limit

Read = Callable[[str], str]

DEFAULT_INTERFACE = "eth0"  # the kubelet's default for the node's interface
# Ends of pods' links and bridges of runtimes. cAdvisor leaves them out, too.
IGNORED = ("lo", "veth", "docker", "nerdctl", "cni", "pw")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")  # of /proc/stat


class MachineDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Values that the summary lacks. `memory_bytes` and `swap_bytes` are the installed amounts."""

    user_s: float
    system_s: float
    memory_bytes: int
    swap_bytes: int
    cache_bytes: int
    mapped_file_bytes: int
    active_file_bytes: int
    inactive_file_bytes: int


def memory(read: Read, time: Moment) -> SummaryMemory | None:
    """The machine's memory. The working set is everything except free memory and idle page cache."""
    table = meminfo(read("/proc/meminfo"))
    if "MemTotal" not in table:
        return None
    faults = vmstat(read("/proc/vmstat"))
    used = table["MemTotal"] - table.get("MemFree", 0)
    working_set = max(0, used - table.get("Inactive(file)", 0))
    return SummaryMemory(
        time=time,
        available_bytes=max(0, table["MemTotal"] - working_set),
        usage_bytes=used,
        working_set_bytes=working_set,
        rss_bytes=table.get("AnonPages", 0),
        page_faults=faults.get("pgfault", 0),
        major_page_faults=faults.get("pgmajfault", 0),
    )


def swap(read: Read, time: Moment) -> Swap | None:
    """The machine's swap."""
    table = meminfo(read("/proc/meminfo"))
    if "SwapTotal" not in table:
        return None
    free = table.get("SwapFree", 0)
    return Swap(time=time, swap_available_bytes=free, swap_usage_bytes=max(0, table["SwapTotal"] - free))


def details(read: Read) -> MachineDetails:
    """CPU time by mode (as cgroup v2's root counts it) and parts of the memory. Absent values are 0."""
    match = re.search(r"^cpu +(\d+) (\d+) (\d+) \d+ \d+ (\d+) (\d+)", read("/proc/stat"), re.MULTILINE)
    user, nice, system, irq, softirq = map(int, match.groups()) if match else (0,) * 5
    table = meminfo(read("/proc/meminfo"))
    return MachineDetails(
        user_s=(user + nice) / TICKS_PER_S,
        system_s=(system + irq + softirq) / TICKS_PER_S,
        memory_bytes=table.get("MemTotal", 0),
        swap_bytes=table.get("SwapTotal", 0),
        cache_bytes=table.get("Cached", 0),
        mapped_file_bytes=table.get("Mapped", 0),
        active_file_bytes=table.get("Active(file)", 0),
        inactive_file_bytes=table.get("Inactive(file)", 0),
    )


def network(read: Read, time: Moment) -> SummaryNetwork | None:
    """The node's interfaces (/proc/net/dev), and the default one."""
    found = interfaces(read("/proc/net/dev"))
    shown = tuple(each for each in found if not each.name.startswith(IGNORED))
    if not shown:
        return None
    names = {each.name: each for each in shown}
    default = names.get(DEFAULT_INTERFACE) or names.get(default_route(read("/proc/net/route"))) or Interface(name="")
    return SummaryNetwork(
        time=time,
        interfaces=shown,
        name=default.name,
        rx_bytes=default.rx_bytes,
        rx_errors=default.rx_errors,
        tx_bytes=default.tx_bytes,
        tx_errors=default.tx_errors,
    )


def pids(read: Read, time: Moment) -> Rlimit:
    """The lower of the two limits on tasks, and the number of tasks (proc_loadavg(5))."""
    limit = task_limit(read(f"/proc/sys/kernel/{name}") for name in TASK_LIMITS)
    match = re.search(r" \d+/(\d+) ", read("/proc/loadavg"))
    return Rlimit(time=time, maxpid=limit, curproc=int(match[1]) if match else None)


def boot_time_s(read: Read) -> int:
    """When the machine was started, in seconds since the epoch. 0 if unknown."""
    match = re.search(r"^btime (\d+)$", read("/proc/stat"), re.MULTILINE)
    return int(match[1]) if match else 0


def vmstat(text: str) -> dict[str, int]:
    """The values of lines such as `pgfault 12`."""
    return {match[1]: int(match[2]) for match in re.finditer(r"^(\w+) (\d+)$", text, re.MULTILINE)}


def interfaces(text: str) -> tuple[Interface, ...]:
    """The lines of /proc/net/dev."""
    found = []
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        numbers = [int(word) for word in rest.split() if word.isdigit()]
        if len(numbers) >= 16:
            found.append(
                Interface(
                    name=name.strip(),
                    rx_bytes=numbers[0],
                    rx_errors=numbers[2],
                    tx_bytes=numbers[8],
                    tx_errors=numbers[10],
                )
            )
    return tuple(found)


def default_route(text: str) -> str:
    """The interface of the first default route in /proc/net/route, or an empty text."""
    rows = (line.split() for line in text.splitlines()[1:])
    return next((row[0] for row in rows if len(row) > 7 and row[1] == "00000000" and row[7] == "00000000"), "")
