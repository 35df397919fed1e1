"""Makes the agent of a run for the run's server, and the real `RunPorts` of `run_files`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator

import msgspec

from podwright.agent.assembly.agent import IDS_PER_POD, Agent
from podwright.agent.assembly.dependencies import Dependencies
from podwright.agent.clock import Clock, SystemClock
from podwright.agent.node.machine import Machine, node_name, read_machine
from podwright.agent.resources.id_range import IdRange, find_range
from podwright.agent.run.daemon import RunServer, server_for
from podwright.agent.run.down import PodToEnd
from podwright.agent.run.options import RunOptions
from podwright.agent.run.pulls import ReportedImages
from podwright.agent.run.release import release
from podwright.agent.run.reporter import Reporter
from podwright.agent.run.run import RunPorts
from podwright.agent.run.run_agent import RunAgent
from podwright.agent.run.runs import agent_root
from podwright.agent.run.session import EngineInputs
from podwright.agent.run.settings import HOUSEKEEPING_S, agent_config, id_range_of
from podwright.agent.runtime.client import ImagesClient, RuntimeClient
from podwright.agent.runtime.scope import OwnRuntime
from podwright.agent.runtime.watch import RuntimeWatch
from podwright.agent.sources.memory import RUN
from podwright.api.pulls import followed
from podwright.cri.client import CriClient
from podwright.errors import FailedPrecondition, Unavailable, reason
from podwright.process import PosixProcessRunner, ProcessRunner

ANSWER_S = 30.0  # for the status of a server that has answered Version
CGROUP_DRIVER = "cgroupfs"  # the agent of a run makes no cgroups


class AgentAssembly(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the agent for a run. Implements `run.Assembly`."""

    options: RunOptions
    reporter: Reporter
    cri: CriClient
    runtime: RuntimeClient
    watch: RuntimeWatch
    machine: Machine
    ids: IdRange
    clock: Clock
    runner: ProcessRunner

    def engine(self, inputs: EngineInputs) -> RunAgent:
        """See Assembly. Raises PodwrightError."""
        root = agent_root(self.options.root, inputs.run_id)
        config = agent_config(root, self.options.log_root)
        dependencies = Dependencies(
            runtime=OwnRuntime(self.cri, inputs.is_own),
            whole_runtime=self.runtime,
            images=ReportedImages(
                ImagesClient(self.cri), self.reporter, self.clock, functools.partial(followed, self.cri)
            ),
            watch=self.watch,
            machine=self.machine,
            node_name=node_name(self.machine, ""),
            clock=self.clock,
            runner=self.runner,
            objects=inputs.objects,
            cgroup_driver=CGROUP_DRIVER,
            services=inputs.services,
            is_own=inputs.is_own,
            has_plugins=False,
            housekeeping_s=HOUSEKEEPING_S,
        )
        ids = id_range_of(inputs.run_id, self.ids, config.pods.max_pods)
        try:
            os.makedirs(root, mode=0o750, exist_ok=True)
            return RunAgent(Agent(config, dependencies, {RUN: inputs.source}, ids), self.reporter)
        except OSError as failure:
            raise FailedPrecondition(
                f"the agent cannot work in {root}: {reason(failure, path=root)}", hint="run as root"
            ) from failure

    async def release(self, doomed: PodToEnd) -> None:
        await release(self.options.root, doomed)


@contextlib.asynccontextmanager
async def assembled(server: RunServer, options: RunOptions, reporter: Reporter) -> AsyncIterator[AgentAssembly]:
    """The assembly of a run at this server. Raises PodwrightError."""
    clock, runner = SystemClock(), PosixProcessRunner()
    async with CriClient(server.endpoint) as cri:
        runtime = RuntimeClient(cri)
        watch = RuntimeWatch(runtime, clock)
        try:
            async with asyncio.timeout(ANSWER_S):
                await watch.first_answer(server.endpoint)
        except TimeoutError:
            raise Unavailable(f"{server.endpoint} does not report its status") from None
        yield AgentAssembly(
            options=options,
            reporter=reporter,
            cri=cri,
            runtime=runtime,
            watch=watch,
            machine=read_machine(),
            ids=await find_range(runner, IDS_PER_POD),
            clock=clock,
            runner=runner,
        )


def run_ports(options: RunOptions, reporter: Reporter) -> RunPorts:
    """The ports of a run on this machine."""
    return RunPorts(
        node_name=node_name(read_machine(), ""),
        clock=SystemClock(),
        server=lambda options, stop: server_for(options, stop, reporter.info),
        assemble=lambda server: assembled(server, options, reporter),
    )
