"""The machine in words."""

from __future__ import annotations

from podwright.bench.machine import cpu_model, describe_machine


async def test_this_machine_is_described() -> None:
    machine = await describe_machine()
    assert machine.cpus >= 1
    assert machine.memory_bytes > 2**20
    assert machine.kernel
    assert all(any(digit in version for digit in "0123456789") for version in machine.programs.values())


def test_texts_that_tell_nothing() -> None:
    assert cpu_model("processor\t: 0\n") == ""
    assert cpu_model("processor\t: 0\nmodel name\t: Some CPU: fast\n") == "Some CPU: fast"
