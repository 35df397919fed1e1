"""The daemon: makes an engine from the configuration and a server from the engine, starts and stops both.

It imports all rooms, and no room imports it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal

from podwright import daemon_log
from podwright.linux import libc
from podwright.linux.files import remove_file
from podwright.process import PosixProcessRunner, adopt_orphans, keep_descriptors_to_ourselves
from podwright.runtime.config import Config, load_config, overridden
from podwright.runtime.engines import making
from podwright.runtime.engines.protocol import Engine
from podwright.runtime.rpc.checkpoints import CheckpointRpcs
from podwright.runtime.rpc.containers import ContainerRpcs
from podwright.runtime.rpc.edge import Edge, request_id
from podwright.runtime.rpc.events import EventRpcs
from podwright.runtime.rpc.image_store import ImageStoreRpcs
from podwright.runtime.rpc.images import ImageRpcs
from podwright.runtime.rpc.pulls import PullRpcs
from podwright.runtime.rpc.resources import ResourceRpcs
from podwright.runtime.rpc.runtime import RuntimeRpcs
from podwright.runtime.rpc.sandboxes import SandboxRpcs
from podwright.runtime.rpc.server import listen, make_server
from podwright.runtime.rpc.stats import StatsRpcs
from podwright.runtime.rpc.streaming import StreamingRpcs
from podwright.runtime.rpc.table import Families, table
from podwright.runtime.rpc.timeline import TimelineRpcs
from podwright.runtime.state import Database, hold
from podwright.tasks import Tasks
from podwright.timeline import Timeline

log = logging.getLogger(__name__)

# A fixed umask, so that file modes do not depend on the caller's shell. It does not affect what crun
# creates: see `handlers.registry`.
UMASK = 0o022
LARGE_BYTES = 1024 * 1024  # command output, large replies: their memory is returned at once
STOP_GRACE_S = 5.0  # for RPCs in progress when the daemon stops


async def serve(
    *,
    config_file: str | None = None,
    root: str | None = None,
    state: str | None = None,
    listen: str | None = None,
    log_level: str | None = None,
) -> int:
    """Run the daemon until SIGTERM or SIGINT and return the exit code. Raises a PodwrightError if it cannot start.

    Arguments override the values of the file.
    """
    given = {"root": root, "state": state, "listen": listen, "log_level": log_level}
    changed = {key: value for key, value in given.items() if value is not None}
    config = overridden(load_config(config_file), changed)
    daemon_log.set_up(config.log_level, request_id.get)
    keep_descriptors_to_ourselves()
    os.umask(UMASK)
    adopt_orphans()
    libc.give_back_blocks(LARGE_BYTES)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        await start(config, stack)
        log.info("daemon is ready: endpoint=%s root=%s", config.listen, config.root)
        await stopping.wait()
        log.info("daemon stops, containers keep running")
    return 0


async def start(config: Config, stack: contextlib.AsyncExitStack) -> None:
    """Build everything, answer UNAVAILABLE during recovery, then serve. Closing `stack` undoes it in reverse."""
    database = Database(config.root)
    stack.callback(database.close)
    stack.callback(os.close, hold(config.state, flag="--state"))  # a second daemon would clean up the first one's pods
    os.chdir(config.state)  # conmon writes a file named "oom" to its working directory, which it inherits
    engine = await making.make(config, database, PosixProcessRunner())
    stack.callback(engine.cgroup_lock.close)
    timeline = Timeline()
    edge = Edge(timeline)
    server = make_server(table(_families(engine, timeline)), edge)
    stack.callback(remove_file, await listen(server, config.listen))
    stack.push_async_callback(engine.close, STOP_GRACE_S)
    stack.push_async_callback(server.stop, STOP_GRACE_S)
    stack.callback(engine.end_streams)  # first, because server.stop waits for open streams
    await engine.recover(database)
    edge.ready = True
    background = Tasks()
    stack.push_async_callback(background.close)
    background.start(timeline.watch(), name="watch for slow calls")


def _families(engine: Engine, timeline: Timeline) -> Families:
    lock = engine.cgroup_lock
    return Families(
        checkpoints=CheckpointRpcs(engine.checkpoints, engine.restores),
        containers=ContainerRpcs(engine.containers, expect_start=lock.warm, expect_exec=lock.warm_for_exec),
        events=EventRpcs(engine.events),
        image_store=ImageStoreRpcs(engine.image_tools, engine.stats),
        images=ImageRpcs(engine.images, engine.stats, engine.sandboxes.handler),
        pulls=PullRpcs(engine.images),
        resources=ResourceRpcs(engine.containers, engine.sandboxes),
        runtime=RuntimeRpcs(engine.node, timeline),
        sandboxes=SandboxRpcs(engine.sandboxes, engine.pods, engine.containers, lock.warm),
        stats=StatsRpcs(engine.stats),
        streaming=StreamingRpcs(engine.streaming),
        timeline=TimelineRpcs(timeline),
    )
