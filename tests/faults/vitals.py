"""What a daemon holds: descriptors, memory, children."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tests.faults.node import Node, eventually
from tests.harness.server import CriServer

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """At one moment."""

    fds: int
    children: frozenset[str]  # command lines, without the monitors of containers


def vitals(node: Node) -> Vitals:
    """Of the daemon."""
    pid = node.server.process.pid
    return Vitals(fds=len(os.listdir(f"/proc/{pid}/fd")), children=frozenset(_children(pid)))


def resident_bytes(server: CriServer) -> int:
    """The daemon's memory, without what it shares with files."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:")) * 1024


async def recovered(node: Node, before: Vitals) -> None:
    """Wait until it holds no more than before."""

    async def holds() -> bool:
        now = vitals(node)
        return now.fds <= before.fds and now.children <= before.children

    await eventually(holds, f"as before: {before}, now {vitals(node)}")


def _children(pid: int) -> list[str]:
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            found += [_command_line(child) for child in file.read().split()]
    return [line for line in found if "conmon" not in line]


def _command_line(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return f"{pid} {file.read()}"
    except FileNotFoundError:
        return f"{pid} gone"
