"""Measures what a cgroup and those below it use, on v1 and v2."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from podwright.agent.stats.records import Io, Moment, Psi, SummaryCpu, SummaryMemory, SummaryPsi, Swap
from podwright.linux.cgroup import CgroupHost, read_file, read_number, read_table
from podwright.linux.pressure import StallTimes, parse_pressure

UNLIMITED = 2**62  # cgroup v1 writes "no limit" as a number near 2**63, rounded down to pages
NS_PER_US = 1000


class CgroupUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The usage. None for what this host does not account."""

    cpu: SummaryCpu | None = None
    memory: SummaryMemory | None = None
    swap: Swap | None = None
    io: Io | None = None


def usage(host: CgroupHost, path: str, time: Moment, *, with_pressure: bool) -> CgroupUsage | None:
    """A cgroup's usage without its rate. None if the cgroup does not exist. Raises OSError."""
    used_ns, memory = cpu_ns(host, path), _memory(host, path, time)
    if used_ns is None and memory is None:
        return None
    pressures = {name: _psi(host, path, name) if with_pressure else None for name in ("cpu", "memory", "io")}
    if memory is not None:
        memory = replace(memory, psi=pressures["memory"])
    return CgroupUsage(
        cpu=SummaryCpu(time=time, usage_core_nano_seconds=used_ns, psi=pressures["cpu"])
        if used_ns is not None
        else None,
        memory=memory,
        swap=_swap(host, path, time),
        io=Io(time=time, psi=pressures["io"]) if with_pressure else None,
    )


def cpu_ns(host: CgroupHost, path: str) -> int | None:
    """The used CPU time. v2 counts it in every cgroup, even without the controller."""
    if "cpuacct" in host.controllers:
        return read_number(f"{host.directory(path, 'cpuacct')}/cpuacct.usage")
    if host.unified is None:
        return None
    microseconds = read_table(f"{host.unified}/{path.strip('/')}/cpu.stat").get("usage_usec")
    return None if microseconds is None else microseconds * NS_PER_US


def _memory(host: CgroupHost, path: str, time: Moment) -> SummaryMemory | None:
    directory = host.directory(path, "memory")
    if directory is None:
        return None
    v1 = "memory" in host.controllers
    used = read_number(f"{directory}/{'memory.usage_in_bytes' if v1 else 'memory.current'}")
    if used is None:
        return None
    table = read_table(f"{directory}/memory.stat")
    working_set = max(0, used - table.get("total_inactive_file" if v1 else "inactive_file", 0))
    limit = _limit(f"{directory}/{'memory.limit_in_bytes' if v1 else 'memory.max'}")
    return SummaryMemory(
        time=time,
        available_bytes=None if limit is None else max(0, limit - working_set),
        usage_bytes=used,
        working_set_bytes=working_set,
        rss_bytes=table.get("total_rss" if v1 else "anon", 0),
        page_faults=table.get("total_pgfault" if v1 else "pgfault", 0),
        major_page_faults=table.get("total_pgmajfault" if v1 else "pgmajfault", 0),
    )


def _swap(host: CgroupHost, path: str, time: Moment) -> Swap | None:
    directory = host.directory(path, "memory")
    if directory is None:
        return None
    if "memory" not in host.controllers:
        used = read_number(f"{directory}/memory.swap.current")
        limit = _limit(f"{directory}/memory.swap.max")
    else:  # memsw counts memory and swap together, and so does its limit
        both = read_number(f"{directory}/memory.memsw.usage_in_bytes")
        used = None if both is None else max(0, both - (read_number(f"{directory}/memory.usage_in_bytes") or 0))
        total, of_memory = (
            _limit(f"{directory}/memory.memsw.limit_in_bytes"),
            _limit(f"{directory}/memory.limit_in_bytes"),
        )
        limit = None if total is None or of_memory is None else max(0, total - of_memory)
    if used is None:
        return None
    return Swap(time=time, swap_usage_bytes=used, swap_available_bytes=None if limit is None else max(0, limit - used))


def _limit(path: str) -> int | None:
    value = read_number(path)
    return None if value is None or value > UNLIMITED else value


def _psi(host: CgroupHost, path: str, resource: str) -> Psi:
    """The pressure, which is in the v2 tree on every layout.

    The root's is the machine's. Zeros if none is measured.
    """
    if host.unified is None:
        return Psi()
    name = path.strip("/")
    file = f"{host.unified}/{name}/{resource}.pressure" if name else f"/proc/pressure/{resource}"
    return psi_of((read_file(file) or "").encode())


def psi_of(text: bytes) -> Psi:
    """A pressure file's content. Zeros for what is missing."""
    stalls = parse_pressure(text)
    return Psi(full=_line(stalls.full), some=_line(stalls.some)) if stalls is not None else Psi()


def _line(data: StallTimes) -> SummaryPsi:
    return SummaryPsi(total=data.total_ns, avg10=data.avg10, avg60=data.avg60, avg300=data.avg300)
