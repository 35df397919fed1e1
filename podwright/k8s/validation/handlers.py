"""Probes and hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from podwright.k8s.names import header_name_faults
from podwright.k8s.objects.container import Container
from podwright.k8s.objects.handlers import HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction
from podwright.k8s.objects.pod import PodSpec
from podwright.k8s.problems import Problem, forbidden, invalid, required, unsupported
from podwright.k8s.validation.common import at_most_one, non_negative, one_of, port

_PLAIN_SIGNALS = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP "
    "TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
)
SIGNALS = frozenset(
    {f"SIG{name}" for name in _PLAIN_SIGNALS.split()}
    | {f"SIGRTMIN+{number}" for number in range(1, 16)}
    | {f"SIGRTMAX-{number}" for number in range(1, 15)}
)


def validate_hooks_and_probes(path: str, container: Container, spec: PodSpec) -> Iterator[Problem]:
    """A container that keeps running: a regular one or a sidecar."""
    if container.lifecycle is not None:
        yield from _lifecycle(f"{path}.lifecycle", container.lifecycle, spec)
    liveness, readiness, startup = container.liveness_probe, container.readiness_probe, container.startup_probe
    for wire, probe in (("livenessProbe", liveness), ("readinessProbe", readiness), ("startupProbe", startup)):
        if probe is not None:
            yield from _probe(f"{path}.{wire}", probe, one_success=wire != "readinessProbe")
    if readiness is not None and readiness.termination_grace_period_seconds is not None:
        here = f"{path}.readinessProbe.terminationGracePeriodSeconds"
        yield invalid(here, readiness.termination_grace_period_seconds, "must not be set for readinessProbes")


def refuse_hooks_and_probes(path: str, container: Container) -> Iterator[Problem]:
    """A plain init container, which only starts and ends."""
    for wire, value in (
        ("lifecycle", container.lifecycle),
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if value is not None:
            yield forbidden(f"{path}.{wire}", "may not be set for init containers without restartPolicy=Always")


def _lifecycle(path: str, lifecycle: Lifecycle, spec: PodSpec) -> Iterator[Problem]:
    for wire, hook in (("postStart", lifecycle.post_start), ("preStop", lifecycle.pre_stop)):
        if hook is not None:
            yield from _handler(f"{path}.{wire}", hook, spec.termination_grace_period_seconds)
    if lifecycle.stop_signal is not None:
        if spec.os is None:
            yield forbidden(f"{path}.stopSignal", "may not be set for containers with empty `spec.os.name`")
        elif lifecycle.stop_signal not in SIGNALS:
            yield unsupported(f"{path}.stopSignal", lifecycle.stop_signal, SIGNALS)


def _probe(path: str, probe: Probe, *, one_success: bool) -> Iterator[Problem]:
    yield from _handler(path, probe, None)
    for wire, number in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        yield from non_negative(f"{path}.{wire}", number)
    grace = probe.termination_grace_period_seconds
    if grace is not None and grace <= 0:
        yield invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than 0")
    if one_success and probe.success_threshold != 1:
        yield invalid(f"{path}.successThreshold", probe.success_threshold, "must be 1")


def _handler(path: str, handler: Probe | LifecycleHandler, grace_s: int | None) -> Iterator[Problem]:
    """Exactly one kind of handler. Only the first one is checked."""
    names = {"exec": "exec", "http_get": "httpGet", "tcp_socket": "tcpSocket", "grpc": "grpc", "sleep": "sleep"}
    actions = {wire: getattr(handler, attribute, None) for attribute, wire in names.items()}
    given = {wire: action for wire, action in actions.items() if action is not None}
    if not given:
        yield required(path, "must specify a handler type")
        return
    wire, action = next(iter(given.items()))
    yield from _action(f"{path}.{wire}", wire, action, grace_s)
    yield from at_most_one(path, given, "handler type")


def _action(path: str, wire: str, action: Any, grace_s: int | None) -> Iterator[Problem]:
    match wire:
        case "exec":
            if not action.command:
                yield required(f"{path}.command")
        case "httpGet":
            yield from _http_get(path, action)
        case "sleep":
            yield from _sleep(path, action, grace_s)
        case _:
            yield from port(f"{path}.port", action.port)


def _http_get(path: str, action: HTTPGetAction) -> Iterator[Problem]:
    if not action.path:
        yield required(f"{path}.path")
    yield from port(f"{path}.port", action.port)
    yield from one_of(f"{path}.scheme", action.scheme, ("HTTP", "HTTPS"))
    for header in action.http_headers:
        yield from (invalid(f"{path}.httpHeaders", header.name, fault) for fault in header_name_faults(header.name))


def _sleep(path: str, action: SleepAction, grace_s: int | None) -> Iterator[Problem]:
    if grace_s is not None and not 0 <= action.seconds <= grace_s:
        message = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"
        yield invalid(path, action.seconds, message)
