"""`podwright run FILE`: the whole run, from the file to the exit code.

Called by the CLI with a reporter of its own. Nothing here prints, and nothing here knows the runtime but by CRI.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from podwright.agent.run.daemon import Server, server_for
from podwright.agent.run.reporter import PlainReporter, Reporter
from podwright.agent.run.runs import RunPod, RunRecord, claimed
from podwright.agent.run.stop import StopRequest, StopRequested
from podwright.agent.seed import leftovers, places
from podwright.agent.seed.manifest.bundle import PodBundle, load_bundle
from podwright.agent.seed.options import RunOptions
from podwright.agent.seed.session import make_context, run_session
from podwright.agent.seed.watch import changed_text, read_text
from podwright.agent.seed.worker import PodResult
from podwright.cri.client import CriClient
from podwright.cri.endpoint import DEFAULT_ENDPOINT, normalise
from podwright.errors import InvalidArgument, PodwrightError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_TIMEOUT = 124  # as timeout(1)


@dataclass(slots=True)
class _Deadline:
    passed: bool = False


async def run_pod(options: RunOptions, reporter: Reporter | None = None, stop: StopRequest | None = None) -> int:
    """Run the Pod in `options.file`; the exit code.

    0: all containers succeeded, or a requested stop went well, or the pod was detached. 1: a container failed, or
    the runtime did; the error names it. 2: the file cannot be run. 124: `timeout_s` passed first.
    """
    told = reporter or PlainReporter()
    asked = stop or StopRequest()
    try:
        text = read_text(options.file)
        bundle = load_bundle(text)
        _check(options)
    except InvalidArgument as failure:
        told.error(_about_file(options.file, failure))
        return EXIT_BAD_INPUT
    _warn(bundle, told)
    deadline = _Deadline()
    try:
        with asked.on_signals() if options.handle_signals else contextlib.nullcontext():
            async with _limited(options.timeout_s, asked, deadline), _connected(options, told, asked) as cri:
                code = await _run(cri, options, text, bundle, told, asked)
    except StopRequested:
        code = EXIT_OK
    except PodwrightError as failure:
        told.error(str(failure))
        code = EXIT_FAILED
    if deadline.passed:
        told.error(f"the pod did not end within {options.timeout_s:g} s")
        return EXIT_TIMEOUT
    return code


def _check(options: RunOptions) -> None:
    if options.watch and options.detach:
        raise InvalidArgument("--watch and --detach exclude each other")
    if options.watch and options.file == "-":
        raise InvalidArgument("standard input cannot be watched")


def _about_file(path: str, failure: InvalidArgument) -> str:
    """One line, or one line for each problem below the file's name."""
    text = str(failure)
    return f"{path}:\n  " + text.replace("\n", "\n  ") if "\n" in text else f"{path}: {text}"


def _warn(bundle: PodBundle, reporter: Reporter) -> None:
    for path in bundle.not_honoured:
        reporter.warning(f"{path} is not honoured")


@contextlib.asynccontextmanager
async def _limited(timeout_s: float | None, stop: StopRequest, deadline: _Deadline) -> AsyncIterator[None]:
    """Ask for a stop when the time is up."""

    def pass_deadline() -> None:
        deadline.passed = True
        if not stop.graceful.is_set():
            stop.ask()

    handle = asyncio.get_running_loop().call_later(timeout_s, pass_deadline) if timeout_s is not None else None
    try:
        yield
    finally:
        if handle is not None:
            handle.cancel()


@contextlib.asynccontextmanager
async def _connected(options: RunOptions, reporter: Reporter, stop: StopRequest) -> AsyncIterator[CriClient]:
    """A client of the run's server, with the leavings of dead runs taken away."""
    async with server_for(options, stop) as server:
        _introduce(server, options, reporter)
        async with CriClient(server.endpoint) as cri:
            if server.embedded and await leftovers.remove_everything(cri):
                reporter.info("removed what an interrupted run had left")
            uids = await leftovers.known_uids(cri)
            await asyncio.to_thread(places.sweep, options.agent_root, cri.endpoint, uids)
            yield cri


def _introduce(server: Server, options: RunOptions, reporter: Reporter) -> None:
    wanted = normalise(options.endpoint or DEFAULT_ENDPOINT)
    if server.embedded and options.endpoint:
        reporter.warning(f"no CRI server answers at {wanted}: an embedded one is used for this run")
    kind = "embedded " if server.embedded else ""
    reporter.info(f"using {kind}{server.name} {server.version} at {server.endpoint}")


async def _run(
    cri: CriClient, options: RunOptions, text: str, bundle: PodBundle, reporter: Reporter, stop: StopRequest
) -> int:
    if options.watch:
        return await _run_watching(cri, options, text, bundle, reporter, stop)
    result = await _run_once(cri, options, bundle, reporter, stop)
    return _exit_code(result, stop, reporter)


async def _run_once(
    cri: CriClient, options: RunOptions, bundle: PodBundle, reporter: Reporter, stop: StopRequest
) -> PodResult:
    metadata = bundle.pod.metadata
    await leftovers.refuse_same_name(cri, metadata.namespace, metadata.name)
    context = make_context(bundle, options)
    result = await run_session(cri, context, options, reporter, stop)
    if result.detached:
        _record(cri.endpoint, options, bundle, context.uid)
        reporter.pod(bundle.pod.full_name, "Detached", context.uid)
        if bundle.pod.spec.restart_policy != "Never":
            reporter.warning("nobody restarts the containers of a detached pod")
    return result


def _record(endpoint: str, options: RunOptions, bundle: PodBundle, uid: str) -> None:
    """Let --kube-down find the pod."""
    metadata, grace_s = bundle.pod.metadata, bundle.pod.spec.termination_grace_period_seconds
    owner = f"Pod {bundle.pod.full_name}"
    pod = RunPod(namespace=metadata.namespace, name=metadata.name, uid=uid, owner=owner, grace_s=grace_s)
    run_id = uuid.uuid4().hex
    with claimed(options.agent_root, run_id) as record:
        record.write(RunRecord(run_id=run_id, endpoint=endpoint, pods=(pod,), detached=True))


def _exit_code(result: PodResult, stop: StopRequest, reporter: Reporter) -> int:
    for failed in result.failed:
        reporter.error(str(failed))
    if stop.forced.is_set():
        reporter.error("stopped at once on the second request")
        return EXIT_FAILED
    return EXIT_FAILED if result.failed else EXIT_OK


async def _run_watching(
    cri: CriClient, options: RunOptions, text: str, bundle: PodBundle, reporter: Reporter, stop: StopRequest
) -> int:
    """Run version after version of the file until a stop; the last one's code."""
    while True:
        version = StopRequest()
        with _following(stop, version):
            run = asyncio.ensure_future(_run_version(cri, options, bundle, reporter, version))
            try:
                text, bundle = await stop.interruptible(_next_version(options.file, text, reporter))
            except StopRequested:
                result = await run
                return EXIT_FAILED if result is None else _exit_code(result, stop, reporter)
            finally:
                version.graceful.set()
                await asyncio.gather(run, return_exceptions=True)
        reporter.info(f"{options.file} has changed")
        _warn(bundle, reporter)


async def _run_version(
    cri: CriClient, options: RunOptions, bundle: PodBundle, reporter: Reporter, version: StopRequest
) -> PodResult | None:
    """One version; a failure is told (None), and the next version may do better."""
    result = None
    try:
        result = await _run_once(cri, options, bundle, reporter, version)
    except PodwrightError as failure:
        reporter.error(str(failure))
    if not version.graceful.is_set():
        reporter.info("waiting for the file to change")
    return result


@contextlib.contextmanager
def _following(stop: StopRequest, version: StopRequest) -> Iterator[None]:
    """Requests to the run reach the version that runs."""

    async def follow() -> None:
        await stop.graceful.wait()
        version.graceful.set()
        await stop.forced.wait()
        version.forced.set()

    task = asyncio.ensure_future(follow())
    try:
        yield
    finally:
        task.cancel()


async def _next_version(path: str, text: str, reporter: Reporter) -> tuple[str, PodBundle]:
    """The next text that can be run; others are told about and passed over."""
    while True:
        text = await changed_text(path, text)
        try:
            return text, load_bundle(text)
        except InvalidArgument as failure:
            reporter.error(_about_file(path, failure))
