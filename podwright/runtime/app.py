"""The daemon: configuration to services to server, start and stop. It knows all rooms, and nothing knows it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal

import msgspec

from podwright import daemon_log
from podwright.linux import libc
from podwright.process import PosixProcessRunner, adopt_orphans, keep_descriptors_to_ourselves
from podwright.runtime import config as configuration
from podwright.runtime.engines.native import engine
from podwright.runtime.engines.native.engine import NativeEngine
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

# Whatever the daemon was started with: the modes of its files do not depend on a shell. It does not act on what crun
# makes: see `handlers.registry`.
UMASK = 0o022
LARGE_BYTES = 1024 * 1024  # outputs of commands, replies of many pods: memory for them is not kept
STOP_GRACE_S = 5.0  # for RPCs under way when the daemon is told to stop


async def serve(
    *,
    config_file: str | None = None,
    root: str | None = None,
    state: str | None = None,
    listen: str | None = None,
    log_level: str | None = None,
) -> int:
    """Run the daemon until SIGTERM or SIGINT; the exit code. Raises a PodwrightError when it cannot start.

    Arguments win over the file's values.
    """
    given = {"root": root, "state": state, "listen": listen, "log_level": log_level}
    config = configuration.load(config_file)
    changed = {key: value for key, value in given.items() if value is not None}
    config = configuration.parse({**msgspec.to_builtins(config), **changed}, "command line")
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
        log.info("podwright serves: endpoint=%s root=%s", config.listen, config.root)
        await stopping.wait()
        log.info("podwright stops; containers go on running")
    return 0


async def start(config: configuration.Config, stack: contextlib.AsyncExitStack) -> None:
    """Build everything, answer UNAVAILABLE, recover, be ready. What `stack` holds undoes it in reverse."""
    database = Database(config.root)
    stack.callback(database.close)
    os.makedirs(config.state, mode=0o711, exist_ok=True)
    os.chdir(config.state)  # conmon leaves a file named "oom" in its working directory, which is ours
    stack.callback(os.close, hold(config.state, flag="--state"))  # a second daemon would tidy the first one's pods up
    made = await engine.make(config, database, PosixProcessRunner())
    stack.callback(made.lock.close)
    timeline = Timeline()
    edge = Edge(timeline)
    server = make_server(table(_families(made, timeline)), edge)
    stack.callback(_unlink, await listen(server, config.listen))
    stack.push_async_callback(made.close, STOP_GRACE_S)
    stack.push_async_callback(server.stop, STOP_GRACE_S)
    stack.callback(made.end_streams)  # first, for a server waits for its streams
    await made.recover(database)
    edge.ready = True
    background = Tasks()
    stack.push_async_callback(background.close)
    background.start(timeline.watch(), name="watch for slow calls")


def _families(made: NativeEngine, timeline: Timeline) -> Families:
    lock = made.lock
    return Families(
        checkpoints=CheckpointRpcs(made.checkpoints, made.restores),
        containers=ContainerRpcs(made.containers, start_comes_up=lock.warm, exec_comes_up=lock.warm_for_exec),
        events=EventRpcs(made.events),
        image_store=ImageStoreRpcs(made.image_tools, made.stats),
        images=ImageRpcs(made.images, made.sandboxes.handler),
        pulls=PullRpcs(made.images),
        resources=ResourceRpcs(made.containers, made.sandboxes),
        runtime=RuntimeRpcs(made.node, timeline),
        sandboxes=SandboxRpcs(made.sandboxes, made.pods, made.containers, lock.warm),
        stats=StatsRpcs(made.stats),
        streaming=StreamingRpcs(made.streaming),
        timeline=TimelineRpcs(timeline),
    )


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
