"""`podwright run FILE...`: the whole run, from the files to the exit code.

Nothing here prints. `Assembly` makes the agent. Everything else of a run is in this room.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.run.claims import make_folders
from podwright.agent.run.daemon import RunServer
from podwright.agent.run.documents import load_texts
from podwright.agent.run.down import PodToEnd, Takedown
from podwright.agent.run.expand import expand
from podwright.agent.run.notify import notify
from podwright.agent.run.options import RunOptions, check
from podwright.agent.run.outcome import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_OK, exit_code
from podwright.agent.run.plan import RunFacts, RunPlan
from podwright.agent.run.reporter import Reporter
from podwright.agent.run.runs import RunRecord, abandoned, claimed, forget
from podwright.agent.run.session import EngineInputs, RunEngine, Session, SessionInputs
from podwright.agent.run.stop import StopRequest, StopRequested
from podwright.agent.run.watch import Texts, changed_texts, read_texts
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import CriSandboxState
from podwright.errors import AlreadyExists, InvalidArgument, PodwrightError


class Assembly(Protocol):
    """Makes the agent for one server. `runtime` shows all pods."""

    @property
    def runtime(self) -> CriRuntime:
        """The server's RuntimeService."""

    def engine(self, inputs: EngineInputs) -> RunEngine:
        """The agent of one run."""

    async def release(self, doomed: PodToEnd) -> None:
        """Remove the volumes, files and logs of a pod whose run was killed."""


class RunPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs. `notify` sends the run's state to the service manager."""

    node_name: str
    clock: Clock
    server: Callable[[RunOptions, StopRequest], AbstractAsyncContextManager[RunServer]]
    assemble: Callable[[RunServer], AbstractAsyncContextManager[Assembly]]
    notify: Callable[[str], object] = notify


async def run_files(options: RunOptions, reporter: Reporter, ports: RunPorts, stop: StopRequest) -> int:
    """Run the objects of the files. Returns the exit code.

    0: everything succeeded, or a requested stop did, or the pods were detached. 1: a container or the runtime failed,
    and the error names it. 2: the files cannot be run. 124: `timeout_s` passed first.
    """
    run_id = uuid.uuid4().hex
    try:
        check(options)
        texts = read_texts(options.paths)
        plan = _plan(options, ports, texts, run_id)
    except InvalidArgument as failure:
        reporter.error(str(failure))
        return EXIT_BAD_INPUT
    for warning in plan.warnings:
        reporter.warning(warning)
    run = _Run(options=options, reporter=reporter, ports=ports, stop=stop, run_id=run_id)
    deadline = _Deadline(stop)
    try:
        with deadline.limiting(options.timeout_s):
            code = await run.run(plan, texts)
    except StopRequested:
        code = EXIT_OK
    except PodwrightError as failure:
        reporter.error(str(failure))
        code = EXIT_FAILED
    if deadline.has_passed:
        reporter.error(f"the pods did not end within {options.timeout_s:g} s")
        return exit_code((), timed_out=True)
    return code


def _plan(options: RunOptions, ports: RunPorts, texts: Texts, run_id: str) -> RunPlan:
    situation = RunFacts(run_id=run_id, node_name=ports.node_name, claims_root=options.claims_root, now=options.now)
    return expand(load_texts(texts), situation)


class _Deadline(msgspec.Struct):
    """Requests a stop after the timeout."""

    stop: StopRequest
    has_passed: bool = False

    @contextlib.contextmanager
    def limiting(self, timeout_s: float | None) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handle = loop.call_later(timeout_s, self._pass) if timeout_s is not None else None
        try:
            yield
        finally:
            if handle is not None:
                handle.cancel()

    def _pass(self) -> None:
        self.has_passed = True
        if not self.stop.graceful.is_set():
            self.stop.ask()


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of files without faults."""

    options: RunOptions
    reporter: Reporter
    ports: RunPorts
    stop: StopRequest
    run_id: str

    async def run(self, plan: RunPlan, texts: Texts) -> int:
        """Run the plan. Raises PodwrightError and StopRequested."""
        async with self.ports.server(self.options, self.stop) as server, self.ports.assemble(server) as assembly:
            self._introduce(server)
            await self._clean_up(assembly, server.endpoint)
            await _refuse_same_names(assembly.runtime, plan)
            await self._make_folders(plan)
            with claimed(self.options.root, self.run_id) as log:
                result = await Session(
                    SessionInputs(
                        plan=plan,
                        reporter=self.reporter,
                        stop=self.stop,
                        clock=self.ports.clock,
                        log=log,
                        record=RunRecord(run_id=self.run_id, endpoint=server.endpoint, log_root=self.options.log_root),
                        make_engine=assembly.engine,
                        detach=self.options.detach,
                        new_plans=self._new_plans(texts) if self.options.watch else None,
                        notify=self.ports.notify,
                    )
                ).run()
        for failure in result.failures:
            self.reporter.error(str(failure))
        forced = self.stop.forced.is_set()
        if forced:
            self.reporter.error("stopped at once on the second request")
        return exit_code(result.failures, forced=forced)

    def _introduce(self, server: RunServer) -> None:
        kind = "embedded " if server.embedded else ""
        if server.embedded and self.options.endpoint:
            self.reporter.warning(f"no CRI server answers at {self.options.endpoint}: this run brings its own")
        self.reporter.info(f"using {kind}{server.name} {server.version} at {server.endpoint}")

    async def _clean_up(self, assembly: Assembly, endpoint: str) -> None:
        """End the pods of killed runs, and remove the files of removed detached pods."""
        records = await asyncio.to_thread(abandoned, self.options.root, endpoint)
        there = {each.pod_uid for each in await assembly.runtime.sandboxes()} if records else set()
        work = Takedown(runtime=assembly.runtime, release=assembly.release)
        for record in records:
            doomed = [pod for pod in record.pods if not record.detached or pod.uid not in there]
            gone = await work.end([PodToEnd(pod=pod, record=record) for pod in doomed])
            if gone or not record.pods:
                await asyncio.to_thread(forget, self.options.root, record, gone)
        if any(record.pods and not record.detached for record in records):
            self.reporter.info("removed what an interrupted run had left")
        for problem in work.problems:
            self.reporter.warning(f"an interrupted run has left {problem}")

    async def _make_folders(self, plan: RunPlan) -> None:
        await asyncio.to_thread(make_folders, plan.folders, self.options.claims_root)

    async def _new_plans(self, texts: Texts) -> AsyncIterator[RunPlan]:
        """The plans of later versions of the files. Versions with faults are reported and skipped."""
        while True:
            texts = await changed_texts(self.options.paths, texts)
            try:
                plan = _plan(self.options, self.ports, texts, self.run_id)
                await self._make_folders(plan)
            except PodwrightError as failure:
                self.reporter.error(str(failure))
                continue
            for warning in plan.warnings:
                self.reporter.warning(warning)
            yield plan


async def _refuse_same_names(runtime: CriRuntime, plan: RunPlan) -> None:
    """Raise AlreadyExists if a pod with the same name runs, because both would want the same ports."""
    wanted = {(pod.metadata.namespace, pod.metadata.name) for pod in plan.all_pods()}
    for sandbox in await runtime.sandboxes():
        if sandbox.state is CriSandboxState.READY and (sandbox.pod_namespace, sandbox.pod_name) in wanted:
            message = f"pod {sandbox.pod_namespace}/{sandbox.pod_name} runs already ({sandbox.id[:13]})"
            raise AlreadyExists(message, hint="podwright run --kube-down ends what an earlier run has left")
