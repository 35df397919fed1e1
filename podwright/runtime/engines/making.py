"""Makes the engine that the configuration names."""

from __future__ import annotations

from podwright.loading import modules_to_keep
from podwright.process import ProcessRunner
from podwright.runtime.config import Config
from podwright.runtime.engines.protocol import Engine
from podwright.runtime.state import Database


async def make(config: Config, database: Database, runner: ProcessRunner) -> Engine:
    """Inspect the host and load the records, but start nothing. An engine is imported when it is used.

    Raises FailedPrecondition if the host lacks something that is required, and what the engine raises.
    """
    if config.engine == "docker":
        with modules_to_keep():
            from podwright.runtime.engines.docker import engine as docker  # noqa: PLC0415 # aiohttp takes 10 MiB

        return await docker.make(config, database, runner)
    with modules_to_keep():
        from podwright.runtime.engines.native import engine as native  # noqa: PLC0415

    return await native.make(config, database, runner)
