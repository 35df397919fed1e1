"""Other limits for a running container: all of them, or those that it had.

The OCI runtime sets them, because it knows the host's cgroups and has systemd change its scopes. What not every
runtime sets is written here: huge pages and the scores for the OOM killer. When a step fails, the cgroup's files get
back what was in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from podwright.linux import cgroup, cgroup_limits
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.handlers.oci.runtime import OciRuntime
from podwright.runtime.handlers.protocol import Bundle
from podwright.runtime.model.base import Resources
from podwright.runtime.oci_spec import resources

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def updated(
    runtime: OciRuntime, cgroups: CgroupHost, bundle: Bundle, before: Resources, now: Resources
) -> AsyncIterator[None]:
    """As Task.update. Raises RuntimeFailed, DeadlineExceeded and OSError."""
    files = cgroup_limits.read_limits(cgroups, bundle.cgroup, now.unified)
    try:
        await _set(runtime, cgroups, bundle, now)
        cgroup_limits.set_huge_pages(cgroups, bundle.cgroup, now.hugepage_limits)
        _rescore(cgroups, bundle, before.oom_score_adj, now.oom_score_adj)
        yield
    except BaseException:
        if refused := await asyncio.shield(asyncio.to_thread(cgroup_limits.write_limits, files)):
            log.warning("cannot undo a change of limits: id=%s files=%s", bundle.id[:12], refused)
        _rescore(cgroups, bundle, now.oom_score_adj, before.oom_score_adj)
        raise


async def _set(runtime: OciRuntime, cgroups: CgroupHost, bundle: Bundle, now: Resources) -> None:
    oci = resources.oci_resources(now)
    # crun before 1.8.7 cannot write "no quota" to v1's files.
    if runtime.is_crun and "cpu" in cgroups.controllers and now.cpu_quota == resources.UNLIMITED:
        cgroup_limits.lift_v1_cpu_quota(cgroups, bundle.cgroup)
        oci = resources.without_quota(oci)
    await runtime.update(bundle.id, oci)


def _rescore(cgroups: CgroupHost, bundle: Bundle, old: int, new: int) -> None:
    """Set the OOM score of every process that still has the container's initial one. Others chose their own."""
    if old == new:
        return
    for pid in cgroup.processes(cgroups, bundle.cgroup):
        path = f"/proc/{pid}/oom_score_adj"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(path, "r+", encoding="ascii") as file:
            if int(file.read()) == old:
                file.seek(0)
                file.write(str(new))
