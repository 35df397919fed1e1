"""`podwright run --kube-down`, from the files to the exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from podwright.agent.run.documents import load_files
from podwright.agent.run.down import DownPlan, PodToEnd, Takedown, plan_down
from podwright.agent.run.expand import expand
from podwright.agent.run.outcome import EXIT_FAILED, EXIT_OK
from podwright.agent.run.plan import RunFacts, RunPlan
from podwright.agent.run.reporter import Reporter
from podwright.agent.run.runs import abandoned, forget, held_pods
from podwright.agent.runtime.protocol import CriRuntime


def plan_of(paths: Sequence[str]) -> RunPlan:
    """The workloads of the files. Raises InvalidArgument."""
    situation = RunFacts(run_id="", node_name="", claims_root="/", now=True)
    return expand(load_files(paths), situation)


async def take_down(
    plan: RunPlan,
    *,
    root: str,
    endpoint: str,
    runtime: CriRuntime,
    release: Callable[[PodToEnd], Awaitable[None]],
    reporter: Reporter,
) -> int:
    """End and remove what earlier runs made of these workloads. Returns the exit code. Raises PodwrightError.

    `release` removes a pod's volumes, files and logs from this machine. Folders of claims stay.
    """
    records = await asyncio.to_thread(abandoned, root, endpoint)
    held = await asyncio.to_thread(held_pods, root, endpoint)
    wanted = plan_down(plan, records, held, await runtime.sandboxes())
    _say(wanted, reporter)
    for each in wanted.doomed:
        reporter.pod(each.pod.full_name, "Stopping")
    work = Takedown(runtime=runtime, release=release)
    gone = await work.end(wanted.doomed)
    for record in {each.record.run_id: each.record for each in wanted.doomed}.values():
        await asyncio.to_thread(forget, root, record, gone)
    for each in wanted.doomed:
        if each.pod.uid in gone:
            reporter.pod(each.pod.full_name, "Stopped")
    for problem in work.problems:
        reporter.error(problem)
    return EXIT_FAILED if work.problems or wanted.living or wanted.foreign else EXIT_OK


def _say(plan: DownPlan, reporter: Reporter) -> None:
    for name in plan.living:
        reporter.error(f"pod {name} belongs to a run that goes on: stop that run")
    for name in plan.foreign:
        reporter.error(f"pod {name} was not made by podwright run: it is left alone (podwright rm -f removes it)")
    if not (plan.doomed or plan.living or plan.foreign):
        reporter.info("nothing of these files is left")
