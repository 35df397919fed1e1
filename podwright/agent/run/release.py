"""Removes the volumes, files and logs of a pod whose run was killed from this machine."""

from __future__ import annotations

import asyncio
import shutil

from podwright.agent.configs.logs import links_directory
from podwright.agent.gc.log_files import dangling_links
from podwright.agent.run.down import PodToEnd
from podwright.agent.run.runs import agent_root, log_directories
from podwright.agent.volumes.remover import Remover
from podwright.agent.volumes.teardown import remove_pod
from podwright.agent.volumes.threads import Threads
from podwright.linux.files import remove_file

LIMIT_S = 30.0


async def release(root: str, doomed: PodToEnd) -> None:
    """Remove them after the pod's containers have ended.

    `root` is that of all runs. Raises PodwrightError and OSError.
    """
    record, uid = doomed.record, doomed.pod.uid
    await Remover(agent_root(root, record.run_id), Threads()).remove(uid, remove_pod, LIMIT_S)
    await asyncio.to_thread(_remove_logs, record.log_root, uid)


def _remove_logs(log_root: str, uid: str) -> None:
    for path in log_directories(log_root, uid):
        shutil.rmtree(path)
    for link in dangling_links(links_directory(log_root), log_root):
        if link.pod_uid == uid:
            remove_file(link.path)
