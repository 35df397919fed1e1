"""Rotation under real runtimes: no line is lost while a container writes."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from podwright.agent.clock import SystemClock
from podwright.agent.logs.rotation import LogLimits, LogRotator
from podwright.agent.pleg.cache import StatusCache
from podwright.agent.runtime.client import RuntimeClient
from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import running_pod
from tests.agent.fakes.configs import container_config, labels

WRITES = ("sh", "-c", "trap 'exit 0' TERM; echo ready; i=0; while :; do echo $i; i=$((i+1)); sleep 0.005; done")
PARTS, WAIT_S = 3, patient(60.0)


def numbers(path: Path) -> list[int]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    texts = [line.split(" ", 3)[3] for line in data.decode().splitlines()]
    return [int(text) for text in texts if text != "ready"]


async def test_no_line_is_lost(cri_server: CriPeer, busybox_image: str) -> None:
    uid = "uid-log-rotation"
    runtime, clock = RuntimeClient(cri_server.client), SystemClock()
    cache = StatusCache(runtime, clock, lambda _: None)
    rotator = LogRotator(runtime, cache.all, clock, LogLimits(max_size_bytes=2000, max_files=20))
    async with running_pod(cri_server, busybox_image, labels=labels(uid)) as sandbox:
        made = await sandbox.run(WRITES, labels=dict(container_config(uid=uid).labels), name="main")
        log = Path(sandbox.config.log_directory) / "main.log"
        await cache.look(uid)
        async with asyncio.timeout(WAIT_S):
            while len(list(log.parent.glob("main.log.*"))) < PARTS:
                await rotator.rotate_all()
                await asyncio.sleep(0.1)
        await sandbox.stop(made)
        parts = sorted(log.parent.glob("main.log.*"))
        written = [number for part in (*parts, log) for number in numbers(part)]
    assert [part.suffix for part in parts[:-1]] == [".gz"] * (len(parts) - 1)
    assert written == list(range(len(written)))
    assert len(written) > 100
