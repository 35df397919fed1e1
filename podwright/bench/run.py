"""A whole bench run: every endpoint in turn, every concurrency, and nothing left behind whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from podwright import __version__
from podwright.bench.machine import describe_machine
from podwright.bench.memory import listening_process, pss_bytes
from podwright.bench.options import BenchOptions
from podwright.bench.pods import PodMaker
from podwright.bench.report import FORMAT, EndpointReport, Report, RuntimeVersion
from podwright.bench.suites import pod_start
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unavailable

Clock = Callable[[], datetime]
Tell = Callable[[str], None]


def utc_now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


async def run_bench(options: BenchOptions, *, tell: Tell, clock: Clock = utc_now) -> Report:
    """Measure as `options` say; `tell` gets a line about each step.

    Raises InvalidArgument for bad options, Unavailable and whatever an endpoint answers. Every pod that was made is
    removed before this returns, raises or is cancelled.
    """
    options.check()
    began = clock()
    machine = describe_machine()
    reports = [await _measure_endpoint(endpoint, options, tell) for endpoint in options.endpoints]
    return Report(
        format=FORMAT,
        date=began.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        podwright_version=__version__,
        machine=machine,
        options=options,
        endpoints=reports,
    )


async def _measure_endpoint(endpoint: str, options: BenchOptions, tell: Tell) -> EndpointReport:
    async with CriClient(endpoint) as cri:
        version = await cri.call(cri.runtime.Version, api.VersionRequest())
        tell(f"{version.runtime_name} {version.runtime_version} at {cri.endpoint}")
        daemon = _daemon(cri.endpoint)
        idle_pss = pss_bytes(daemon) if daemon else None
        await _ensure_image(cri, options.image, tell)
        results = []
        async with _pod_maker(cri, options) as maker:
            for concurrency in options.concurrencies:
                tell(f"{options.pods} pods, {concurrency} at once, after {options.warmup} to warm up")
                result = await pod_start.measure(
                    maker, pods=options.pods, warmup=options.warmup, concurrency=concurrency, daemon=daemon
                )
                results.append(result)
        return EndpointReport(
            endpoint=cri.endpoint,
            version=RuntimeVersion(
                runtime_name=version.runtime_name,
                runtime_version=version.runtime_version,
                api_version=version.runtime_api_version,
            ),
            daemon_pid=daemon,
            daemon_idle_pss_bytes=idle_pss,
            results=results,
        )


@contextlib.asynccontextmanager
async def _pod_maker(cri: CriClient, options: BenchOptions) -> AsyncIterator[PodMaker]:
    """A PodMaker whose pods and log files are gone at the end, also after a failure or a cancellation."""
    with tempfile.TemporaryDirectory(prefix="podwright-bench-", ignore_cleanup_errors=True) as log_root:
        maker = PodMaker(cri, options=options, log_root=log_root)
        try:
            yield maker
        finally:
            await asyncio.shield(maker.sweep())


def _daemon(endpoint: str) -> int | None:
    """The daemon's process, if it can be told. Raises Unavailable."""
    try:
        return listening_process(endpoint)
    except OSError as failure:
        raise Unavailable(f"cannot connect to {endpoint}: {failure.strerror}") from failure


async def _ensure_image(cri: CriClient, image: str, tell: Tell) -> None:
    """Pull the image when the endpoint lacks it. It stays there: images are a cache. Raises a PodwrightError."""
    spec = api.ImageSpec(image=image)
    status = await cri.call(cri.images.ImageStatus, api.ImageStatusRequest(image=spec))
    if not status.image.id:
        tell(f"pulling {image}")
        await cri.call(cri.images.PullImage, api.PullImageRequest(image=spec), timeout_s=None)
