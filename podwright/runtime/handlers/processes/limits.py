"""Other limits for a running container: all of them, or those that it had.

Its runtime sets them, because it knows the host's cgroups and has systemd change its scopes. What not every runtime
sets is written here: huge pages and the scores for the OOM killer. When a step fails, the cgroup's files get back what
was in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from podwright.linux import cgroup, cgroup_limits
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.handlers.processes.cgroups import limited
from podwright.runtime.handlers.protocol import Bundle
from podwright.runtime.model.base import Resources

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def updated(
    cgroups: CgroupHost,
    bundle: Bundle,
    before: Resources,
    now: Resources,
    apply: Callable[[Resources], Awaitable[None]],
) -> AsyncIterator[None]:
    """See Task.update. `apply` has the runtime set limits. Raises what that raises, and OSError."""
    files = _limits_of(cgroups, bundle, now)
    try:
        await apply(now)
        cgroup_limits.set_huge_pages(cgroups, limited(cgroups, bundle.cgroup), now.hugepage_limits)
        _rescore(cgroups, bundle, before.oom_score_adj, now.oom_score_adj)
        yield
    except BaseException:
        if refused := await asyncio.shield(asyncio.to_thread(cgroup_limits.write_limits, files)):
            log.warning("limits are not back as they were: id=%s files=%s", bundle.id[:12], refused)
        _rescore(cgroups, bundle, now.oom_score_adj, before.oom_score_adj)
        raise


def _limits_of(cgroups: CgroupHost, bundle: Bundle, now: Resources) -> dict[str, str]:
    """The texts of the files that a runtime may write."""
    paths = dict.fromkeys((bundle.cgroup, limited(cgroups, bundle.cgroup)))
    return {k: v for path in paths for k, v in cgroup_limits.read_limits(cgroups, path, now.unified).items()}


def _rescore(cgroups: CgroupHost, bundle: Bundle, old: int, new: int) -> None:
    """The OOM score of every process that has the one which the container began with. Others chose their own."""
    if old == new:
        return
    for pid in cgroup.processes(cgroups, bundle.cgroup):
        path = f"/proc/{pid}/oom_score_adj"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(path, "r+", encoding="ascii") as file:
            if int(file.read()) == old:
                file.seek(0)
                file.write(str(new))
