"""Gathers all facts: blocking work in a thread, programs concurrently."""

from __future__ import annotations

import asyncio

from podwright.doctor.facts import Facts
from podwright.doctor.gather.docker import gather_docker
from podwright.doctor.gather.host import gather_cgroups, gather_host, gather_limits
from podwright.doctor.gather.kernel import gather_kernel
from podwright.doctor.gather.network import gather_network
from podwright.doctor.gather.programs import find_runtimes, look_at
from podwright.doctor.gather.sandboxes import gather_sandboxes
from podwright.doctor.gather.security import gather_security
from podwright.doctor.gather.storage import gather_storage
from podwright.doctor.options import DoctorOptions
from podwright.process import ProcessRunner


async def gather(options: DoctorOptions, runner: ProcessRunner) -> Facts:
    """The facts of this machine. Failures become facts where possible."""
    runtimes, conmon, criu, network = await asyncio.gather(
        find_runtimes(runner, options.runtimes),
        look_at(runner, options.conmon),
        look_at(runner, "criu"),
        gather_network(runner, options),
    )
    storage = gather_storage(options.root)
    return Facts(
        host=gather_host(),
        kernel=await asyncio.to_thread(gather_kernel, storage.root),
        cgroups=gather_cgroups(),
        runtimes=runtimes,
        conmon=conmon,
        docker=await asyncio.to_thread(gather_docker, options.docker_socket),
        criu=criu,
        sandboxes=await asyncio.to_thread(gather_sandboxes),
        network=network,
        security=gather_security(options.seccomp_profile),
        storage=storage,
        images=gather_storage(options.image_store) if options.image_store else None,
        limits=gather_limits(),
    )
