"""Makes a systemd unit that runs the pods of files, for `podwright generate`. Pure.

See systemd.unit(5), systemd.service(5), and systemd.syntax(7) for quoting.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from podwright.agent.run.jobs import JobRun
from podwright.agent.run.plan import RunPlan
from podwright.agent.run.workloads import Workload

STOP_MARGIN_S = 30  # in addition to the longest grace of the pods, for unmounting and removal
START_LIMIT_S = 900  # pulls included; systemd's own 90 s are too short for a large image
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:=,+@")


class UnitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the unit runs.

    `paths` are absolute. `options` come before them, in the commands that start and end the run.
    """

    program: tuple[str, ...]
    paths: tuple[str, ...]
    options: tuple[str, ...] = ()
    endpoint: str | None = None


def make_unit(plan: RunPlan, request: UnitRequest) -> str:
    """The unit's text."""
    owners = [workload.owner for workload in plan.workloads]
    shown = ", ".join(owners[:3]) + (f" and {len(owners) - 3} more" if len(owners) > 3 else "")
    base = (*request.program, *(("--endpoint", request.endpoint) if request.endpoint else ()), "run")
    sections = {
        "Unit": [
            f"Description={_escaped(f'Podwright: {shown}')}",
            f"SourcePath={_escaped(request.paths[0])}",
            "Wants=network-online.target",
            "After=network-online.target",
            *_after_runtime(request),
            f"RequiresMountsFor={' '.join(quoted(path) for path in request.paths)}",
        ],
        "Service": [
            "Type=notify",
            "NotifyAccess=main",
            f"ExecStart={command((*base, *request.options, '--', *request.paths))}",
            f"ExecStopPost=-{command((*base, '--kube-down', *request.options, '--', *request.paths))}",
            f"Restart={restart_policy(plan.workloads)}",
            "KillMode=mixed",
            f"TimeoutStartSec={START_LIMIT_S}",
            f"TimeoutStopSec={stop_limit_s(plan)}",
            "SyslogIdentifier=%N",
            "Delegate=yes",
        ],
        "Install": ["WantedBy=multi-user.target"],
    }
    return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())


def restart_policy(workloads: Sequence[Workload]) -> str:
    """The unit's Restart: always for workloads that never end, on failure for jobs, or no if they never retry.

    It is for the run as a whole. The agent respects each pod's restart policy.
    """
    policies = {_pod_policy(workload) for workload in workloads}
    if "Always" in policies:
        return "always"
    return "on-failure" if "OnFailure" in policies else "no"


def stop_limit_s(plan: RunPlan) -> int:
    """The most seconds that the pods may take to end."""
    graces = [pod.spec.termination_grace_period_seconds or 0 for pod in plan.all_pods()]
    return max(graces, default=0) + STOP_MARGIN_S


def command(arguments: Sequence[str]) -> str:
    """The arguments as a command line of systemd."""
    return " ".join(quoted(argument) for argument in arguments)


def quoted(argument: str) -> str:
    """An argument in systemd's quotes, with `%` and `$` escaped."""
    doubled = argument.replace("%", "%%").replace("$", "$$")
    if argument and set(argument) <= _PLAIN:
        return argument
    inner = doubled.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in inner) + '"'


def _pod_policy(workload: Workload) -> str:
    if isinstance(workload, JobRun):
        return workload.spec.template.spec.restart_policy
    members = getattr(workload, "members", ())
    return members[0].spec.restart_policy if members else "Always"


def _after_runtime(request: UnitRequest) -> list[str]:
    """The lines that start a named runtime first. Without one the run starts its own."""
    if request.endpoint is None:
        return []
    path = request.endpoint.removeprefix("unix://")
    return [f"AssertPathExists={_escaped(path)}"] if os.path.isabs(path) else []


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text.replace("%", "%%"))
