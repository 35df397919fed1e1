"""What is read of a machine's files."""

from __future__ import annotations

from pathlib import Path

from podwright.agent.node.machine import node_name, read_machine, resolver_path

MEMINFO = "MemTotal:        2048 kB\nMemFree:          1 kB\nSwapTotal:         512 kB\nHugePages_Total:       0\n"


def test_a_machine(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/sys/kernel/random/boot_id": "boot\n",
        "etc/machine-id": "machine\n",
        "etc/os-release": 'NAME="X"\nPRETTY_NAME="A System 12"\n',
        "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "3\n",
        "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "0\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    machine = read_machine(str(tmp_path))
    assert (machine.memory_bytes, machine.swap_bytes) == (2048 * 1024, 512 * 1024)
    assert machine.huge_pages == {2 << 20: 6 << 20, 1 << 30: 0}
    assert (machine.machine_id, machine.system_uuid, machine.boot_id) == ("machine", "machine", "boot")
    assert machine.os_image == "A System 12"


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    machine = read_machine(str(tmp_path))
    assert machine.memory_bytes == 0
    assert machine.os_image == ""
    assert machine.cpu_count >= 1


def test_this_machine() -> None:
    machine = read_machine()
    assert machine.memory_bytes > 0
    assert machine.addresses
    assert node_name(machine, "") == machine.hostname.lower()
    assert node_name(machine, "Other") == "other"


def test_the_stub_of_systemd_resolved_is_no_resolver_for_pods(tmp_path: Path) -> None:
    stub, plain, uplinks = (str(tmp_path / name) for name in ("stub", "plain", "uplinks"))
    Path(stub).write_text("# 127.0.0.1 is not it\nnameserver 127.0.0.53\noptions edns0\n")
    Path(plain).write_text("# not 127.0.0.53\nnameserver 192.0.2.53\n")
    assert resolver_path(stub, uplinks) == stub
    Path(uplinks).write_text("nameserver 192.0.2.53\n")
    assert resolver_path(stub, uplinks) == uplinks
    assert resolver_path(plain, uplinks) == plain
    assert resolver_path(str(tmp_path / "none"), uplinks) == str(tmp_path / "none")
    assert resolver_path("", uplinks) == ""
