"""What memory kills make of the end of a container, as tables."""

from __future__ import annotations

import pytest

from podwright.linux.memory_kills import Counters, Logged, Victim
from podwright.runtime.handlers.processes import memory
from podwright.runtime.handlers.processes.memory import MemoryKills
from podwright.runtime.handlers.protocol import Exit

FIRST, OTHER = 100, 200


def _victims(*pids: int, name: str = "dd") -> tuple[Victim, ...]:
    return tuple(Victim(cgroup="/pods/a", pid=pid, name=name) for pid in pids)


@pytest.mark.parametrize(
    ("code", "kills", "reason", "message"),
    [
        pytest.param(137, MemoryKills(), "Error", "", id="killed by somebody"),
        pytest.param(137, MemoryKills(processes=1, victims=_victims(FIRST)), "OOMKilled", "", id="the first"),
        pytest.param(137, MemoryKills(processes=2, victims=_victims(OTHER, FIRST)), "OOMKilled", "", id="both"),
        pytest.param(137, MemoryKills(processes=1), "OOMKilled", "", id="no log"),
        pytest.param(137, MemoryKills(processes=9, victims=_victims(OTHER)), "OOMKilled", "", id="log with gaps"),
        pytest.param(137, MemoryKills(processes=3, groups=1, victims=_victims(OTHER)), "OOMKilled", "", id="group"),
        pytest.param(
            137,
            MemoryKills(processes=1, victims=_victims(OTHER)),
            "Error",
            "the kernel killed for memory: dd (PID 200)",
            id="another, and the first by somebody",
        ),
        pytest.param(
            0,
            MemoryKills(processes=1, victims=_victims(OTHER)),
            "Completed",
            "the kernel killed for memory: dd (PID 200)",
            id="another, which the first survived",
        ),
        pytest.param(
            143,
            MemoryKills(processes=3, victims=_victims(OTHER)),
            "Error",
            "the kernel killed for memory: dd (PID 200), 2 more",
            id="more than the log names",
        ),
        pytest.param(
            1,
            MemoryKills(processes=2),
            "Error",
            "the kernel killed for memory: 2 of the container's processes",
            id="no log, and no first",
        ),
        pytest.param(
            0,
            MemoryKills(processes=8, victims=_victims(*range(1, 9), name="a\nb")),
            "Completed",
            "the kernel killed for memory: a?b (PID 1), a?b (PID 2), a?b (PID 3), a?b (PID 4), a?b (PID 5), 3 more",
            id="many, with strange names",
        ),
    ],
)
def test_memory_kills(code: int, kills: MemoryKills, reason: str, message: str) -> None:
    end = Exit(code=code, reason="Error" if code else "Completed", finished_at=1)
    judged = memory.judge(end, FIRST, kills)
    assert (judged.code, judged.reason, judged.message) == (code, reason, message)


def test_an_unknown_end_stays_unknown() -> None:
    end = Exit(code=255, reason="Unknown", finished_at=1)
    assert memory.judge(end, FIRST, MemoryKills(processes=1)) == end


def test_what_the_sources_say_together() -> None:
    """A report counts only when the cgroup has gone: conmon reports limits without a kill too."""
    nothing = Logged()
    assert memory.memory_kills(None, nothing, reported=False) == MemoryKills()
    assert memory.memory_kills(Counters(processes=2, groups=1), nothing, reported=False) == MemoryKills(
        processes=2, groups=1
    )
    one = Logged(victims=_victims(1))
    assert memory.memory_kills(None, one, reported=False) == MemoryKills(processes=1, victims=_victims(1))
    assert memory.memory_kills(None, nothing, reported=True) == MemoryKills(processes=1)
    assert memory.memory_kills(Counters(processes=0), nothing, reported=True) == MemoryKills()


def test_a_group_is_known_when_its_cgroup_has_gone() -> None:
    """systemd's go with their last process, and the log names one victim of the group alone."""
    kills = memory.memory_kills(None, Logged(victims=_victims(OTHER), groups=1), reported=False)
    assert memory.judge(Exit(code=137, reason="Error", finished_at=1), FIRST, kills).reason == "OOMKilled"
    kills = memory.memory_kills(None, Logged(groups=1), reported=False)
    assert memory.judge(Exit(code=137, reason="Error", finished_at=1), FIRST, kills).reason == "OOMKilled"
