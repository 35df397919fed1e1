"""Every stop signal that CRI knows, the real-time ones too: the container's first process gets that one."""

from __future__ import annotations

import asyncio
import signal

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api

NAMES = {number: name.removeprefix("SIGNAL_SIG") for name, number in api.Signal.items() if number}
UNCATCHABLE = ("KILL", "STOP")
GRACE_S = 60
AT_ONCE = 13


def _kernel_number(name: str) -> int:
    """As glibc and busybox have them."""
    for base, number, sign in (("RTMINPLUS", signal.SIGRTMIN, 1), ("RTMAXMINUS", signal.SIGRTMAX, -1)):
        if name.startswith(base):
            return number + sign * int(name.removeprefix(base))
    return signal.Signals["SIG" + {"IOT": "ABRT"}.get(name, name)]


async def _end(pod: CasePod, number: int, container_id: str) -> tuple[str, int]:
    name = NAMES[number]
    await pod.stop(container_id, timeout=1 if name in UNCATCHABLE else GRACE_S)
    return name, (await pod.status(container_id)).exit_code


@pytest.mark.deviates("cri-o", "does not tell the signal")
@pytest.mark.deviates("containerd", "1.6 came before the field")
@pytest.mark.parametrize("first", range(1, len(NAMES) + 1, AT_ONCE))
async def test_each_signal(pod: CasePod, first: int) -> None:
    """As process 1, it ends by no other signal than the one that it traps."""
    names = {number: NAMES[number] for number in range(first, min(first + AT_ONCE, len(NAMES) + 1))}
    running = {}
    for number, name in names.items():
        trap = "" if name in UNCATCHABLE else f"trap 'exit 7' {_kernel_number(name)}; "
        script = f"{trap}sleep 1000 & echo ready; wait"
        container_id = await pod.run_ready(("sh", "-c", script), stop_signal=number)
        reported = (await pod.status(container_id)).stop_signal
        assert _kernel_number(NAMES[reported]) == _kernel_number(name)
        running[number] = container_id
    ends = dict(await asyncio.gather(*(_end(pod, *item) for item in running.items())))
    assert ends == {name: 137 if name in UNCATCHABLE else 7 for name in names.values()}
