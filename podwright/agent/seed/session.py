"""One pod from beginning to end at one server: places, volumes, worker, and nothing left behind.

Called by `run`, once for each version of the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from collections.abc import AsyncIterator

from podwright.agent.run.reporter import Reporter
from podwright.agent.run.stop import StopRequest
from podwright.agent.seed import places
from podwright.agent.seed.manifest.bundle import PodBundle
from podwright.agent.seed.options import RunOptions
from podwright.agent.seed.orchestration import host
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.images import Images, pull_credentials
from podwright.agent.seed.orchestration.observe import Observer
from podwright.agent.seed.orchestration.runtime import PodRuntime
from podwright.agent.seed.volumes.plan import plan_volumes
from podwright.agent.seed.volumes.prepare import prepare_volumes
from podwright.agent.seed.worker import PodResult, PodWorker
from podwright.cri.client import CriClient
from podwright.errors import PodwrightError

log = logging.getLogger(__name__)

USER_DOCKER_CONFIG = "~/.docker/config.json"
TEARDOWN_TIMEOUT_S = 120.0


def make_context(bundle: PodBundle, options: RunOptions) -> PodContext:
    """The pod's identity and places; a UID of its own unless the manifest gives one."""
    uid = bundle.pod.metadata.uid or str(uuid.uuid4())
    return PodContext(
        bundle=bundle,
        uid=uid,
        host=host.gather(),
        directory=os.path.join(places.pods_root(options.agent_root), uid),
        log_root=options.pod_log_root(),
    )


async def run_session(
    cri: CriClient, context: PodContext, options: RunOptions, reporter: Reporter, stop: StopRequest
) -> PodResult:
    """Run the pod. Raises PodwrightError. Everything is removed afterwards, unless the pod was detached."""
    place = places.PodPlace(directory=context.directory, log_directory=context.log_directory, endpoint=cri.endpoint)
    with places.claimed(place):
        volumes = plan_volumes(context)
        runtime = PodRuntime(cri, context, volumes)
        observer = Observer(cri, context)
        images = Images(cri, reporter, pull_credentials(context, _user_docker_config()))
        worker = PodWorker(context, runtime, images, observer, reporter)
        async with _removing(place, runtime, observer, reporter) as removal:
            await asyncio.to_thread(prepare_volumes, volumes)
            try:
                result = await worker.run(stop, detach=options.detach)
            finally:
                await worker.close()
            if result.detached:
                removal.pop_all()
            return result


@contextlib.asynccontextmanager
async def _removing(
    place: places.PodPlace, runtime: PodRuntime, observer: Observer, reporter: Reporter
) -> AsyncIterator[contextlib.AsyncExitStack]:
    """At the end take down what there is of the pod, whatever happened; `pop_all` on the stack keeps it."""
    async with contextlib.AsyncExitStack() as stack:

        async def remove() -> None:
            try:
                async with asyncio.timeout(TEARDOWN_TIMEOUT_S):
                    await _remove(place, runtime, observer)
            except (PodwrightError, OSError, TimeoutError) as failure:
                reporter.warning(f"could not clean up everything: {failure or type(failure).__name__}")

        stack.push_async_callback(lambda: asyncio.shield(asyncio.ensure_future(remove())))
        yield stack


async def _remove(place: places.PodPlace, runtime: PodRuntime, observer: Observer) -> None:
    status = await observer.observe()
    for record in status.running():
        await runtime.stop_container(record.id, 0)
    await runtime.stop_sandboxes(status)
    await runtime.remove_all(status)
    await asyncio.to_thread(places.remove, place)


def _user_docker_config() -> bytes:
    try:
        with open(os.path.expanduser(USER_DOCKER_CONFIG), "rb") as file:
            return file.read()
    except OSError:
        return b""
