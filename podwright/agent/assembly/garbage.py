"""Makes the collectors of dead containers, unused images, and old logs."""

from __future__ import annotations

from podwright.agent.assembly.context import AssemblyContext
from podwright.agent.configs.logs import links_directory
from podwright.agent.gc.containers import ContainerGc, ContainerGcPorts
from podwright.agent.gc.dead import DeadContainerLimits
from podwright.agent.gc.images import ImageGc, ImageGcPorts
from podwright.agent.gc.unused_images import ImagePolicy
from podwright.agent.images.records import PullRecords
from podwright.agent.logs.rotation import LogLimits, LogRotator


def make_container_gc(context: AssemblyContext) -> ContainerGc:
    """The collector of dead containers, sandboxes and their logs."""
    config, dependencies = context.config, context.dependencies
    kept, log_root = config.dead_containers, config.container_logs.root
    ports = ContainerGcPorts(
        runtime=dependencies.runtime,
        pods=context.engine,
        look=context.shared.cache.peek,
        is_own=dependencies.is_own,
        all_sources_read=context.engine.all_sources_read,
        events=context.events,
        clock=dependencies.clock,
        log_root=log_root,
        links_directory=links_directory(log_root),
    )
    return ContainerGc(
        ports, DeadContainerLimits(per_container=kept.per_container, total=kept.total, min_age_s=kept.min_age_s)
    )


def make_image_gc(context: AssemblyContext, records: PullRecords | None) -> ImageGc:
    """The collector of images."""
    images, dependencies = context.config.images, context.dependencies
    ports = ImageGcPorts(
        images=dependencies.images,
        runtime=dependencies.whole_runtime,
        observed=context.shared.cache.all,
        events=context.events,
        clock=dependencies.clock,
        on_removed=records.retain if records is not None else lambda *_: None,
    )
    policy = ImagePolicy(
        high_percent=images.gc_high_threshold_percent,
        low_percent=images.gc_low_threshold_percent,
        min_age_s=images.min_age_s,
        max_age_s=images.max_age_s,
    )
    return ImageGc(ports, policy)


def make_log_rotator(context: AssemblyContext) -> LogRotator:
    """The rotator of containers' logs."""
    logs, dependencies = context.config.container_logs, context.dependencies
    limits = LogLimits(
        max_size_bytes=logs.max_size_bytes,
        max_files=logs.max_files,
        workers=logs.max_workers,
        period_s=logs.check_period_s,
    )
    return LogRotator(dependencies.runtime, context.shared.cache.all, dependencies.clock, limits)
