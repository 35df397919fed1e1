"""The containers of a described pod: configuration and status. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from podwright.cli.sheet import NONE, SheetLine, multiline, shown_time
from podwright.k8s.objects import (
    Container,
    ContainerPort,
    ContainerState,
    ContainerStatus,
    EnvVar,
    EphemeralContainer,
    Probe,
)

AnyContainer = Container | EphemeralContainer


def container_lines(
    title: str, containers: Sequence[AnyContainer], statuses: Iterable[ContainerStatus]
) -> Iterator[SheetLine]:
    """One section of containers."""
    by_name = {status.name: status for status in statuses}
    yield SheetLine(0, title)
    for container in containers:
        yield SheetLine(1, f"{container.name}:")
        yield from _basics(container, by_name.get(container.name))
        yield from _state(by_name.get(container.name))
        yield from _resources(container)
        yield from _probes(container)
        yield from _environment(container)
        yield from _mounts(container)


def _basics(container: AnyContainer, status: ContainerStatus | None) -> Iterator[SheetLine]:
    if status is not None:
        yield SheetLine(2, "Container ID:", status.container_id or NONE)
    yield SheetLine(2, "Image:", container.image)
    if status is not None:
        yield SheetLine(2, "Image ID:", status.image_id or NONE)
    yield SheetLine(2, "Ports:", ", ".join(_port(port) for port in container.ports) or NONE)
    if container.command:
        yield from multiline(2, "Command:", container.command)
    if container.args:
        yield from multiline(2, "Args:", container.args)


def _port(port: ContainerPort) -> str:
    name = f" ({port.name})" if port.name else ""
    host = f", host {port.host_ip + ':' if port.host_ip else ''}{port.host_port}" if port.host_port else ""
    return f"{port.container_port}/{port.protocol or 'TCP'}{name}{host}"


def _state(status: ContainerStatus | None) -> Iterator[SheetLine]:
    if status is None:
        return
    yield from _one_state("State:", status.state)
    if status.last_state.terminated is not None:
        yield from _one_state("Last State:", status.last_state)
    yield SheetLine(2, "Ready:", str(status.ready))
    yield SheetLine(2, "Restart Count:", str(status.restart_count))


def _one_state(label: str, state: ContainerState) -> Iterator[SheetLine]:
    if state.running is not None:
        yield SheetLine(2, label, "Running")
        if state.running.started_at is not None:
            yield SheetLine(3, "Started:", shown_time(state.running.started_at))
    elif (ended := state.terminated) is not None:
        yield SheetLine(2, label, "Terminated")
        yield from (
            SheetLine(3, *pair) for pair in (("Reason:", ended.reason), ("Message:", ended.message)) if pair[1]
        )
        yield SheetLine(3, "Exit Code:", str(ended.exit_code))
        if ended.signal:
            yield SheetLine(3, "Signal:", str(ended.signal))
        for name, time in (("Started:", ended.started_at), ("Finished:", ended.finished_at)):
            if time is not None:
                yield SheetLine(3, name, shown_time(time))
    else:
        yield SheetLine(2, label, "Waiting")
        if state.waiting is not None and state.waiting.reason:
            yield SheetLine(3, "Reason:", state.waiting.reason)
        if state.waiting is not None and state.waiting.message:
            yield SheetLine(3, "Message:", state.waiting.message)


def _resources(container: AnyContainer) -> Iterator[SheetLine]:
    resources = container.resources
    for label, quantities in (("Limits:", resources.limits), ("Requests:", resources.requests)):
        if quantities:
            yield SheetLine(2, label)
            yield from (SheetLine(3, f"{name}:", quantities[name]) for name in sorted(quantities))


def _probes(container: AnyContainer) -> Iterator[SheetLine]:
    for label, probe in (
        ("Liveness:", container.liveness_probe),
        ("Readiness:", container.readiness_probe),
        ("Startup:", container.startup_probe),
    ):
        if probe is not None:
            yield SheetLine(2, label, shown_probe(probe))


def shown_probe(probe: Probe) -> str:
    """A probe on one line."""
    numbers = (
        f"delay={probe.initial_delay_seconds}s timeout={probe.timeout_seconds}s period={probe.period_seconds}s "
        f"#success={probe.success_threshold} #failure={probe.failure_threshold}"
    )
    if probe.exec is not None:
        return f"exec [{' '.join(probe.exec.command)}] {numbers}"
    if (get := probe.http_get) is not None:
        path = get.path if get.path.startswith("/") else f"/{get.path}"
        return f"http-get {(get.scheme or 'HTTP').lower()}://{get.host}:{get.port}{path} {numbers}"
    if probe.tcp_socket is not None:
        return f"tcp-socket {probe.tcp_socket.host}:{probe.tcp_socket.port} {numbers}"
    if probe.grpc is not None:
        return f"grpc <pod>:{probe.grpc.port} {probe.grpc.service or ''} {numbers}"
    return f"unknown {numbers}"


def _environment(container: AnyContainer) -> Iterator[SheetLine]:
    sources = [
        f"{reference.name}  {kind}  Optional: {bool(reference.optional)}"
        for source in container.env_from
        for kind, reference in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref))
        if reference is not None
    ]
    if sources:
        yield from multiline(2, "Environment Variables from:", sources)
    if not container.env:
        yield SheetLine(2, "Environment:", NONE)
        return
    yield SheetLine(2, "Environment:")
    yield from (SheetLine(3, f"{variable.name}:", _variable(variable)) for variable in container.env)


def _variable(variable: EnvVar) -> str:
    value = variable.value_from
    if value is None:
        return variable.value or ""
    if value.field_ref is not None:
        return f"({value.field_ref.field_path})"
    if value.resource_field_ref is not None:
        return f"({value.resource_field_ref.resource})"
    for kind, reference in (("config map", value.config_map_key_ref), ("secret", value.secret_key_ref)):
        if reference is not None:
            where = f"<set to the key '{reference.key}' in {kind} '{reference.name}'>"
            return f"{where}  Optional: {bool(reference.optional)}"
    return "<set to a key of a file>" if value.file_key_ref is not None else ""


def _mounts(container: AnyContainer) -> Iterator[SheetLine]:
    if not container.volume_mounts:
        yield SheetLine(2, "Mounts:", NONE)
        return
    yield SheetLine(2, "Mounts:")
    for mount in sorted(container.volume_mounts, key=lambda each: each.mount_path):
        part = f",path={mount.sub_path!r}" if mount.sub_path else ""
        yield SheetLine(3, f"{mount.mount_path} from {mount.name} ({'ro' if mount.read_only else 'rw'}{part})")
