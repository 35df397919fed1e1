"""The server for people: `python -m tests.harness.apiserver DIRECTORY [--port N]` writes DIRECTORY/kubeconfig."""

from __future__ import annotations

import argparse
import asyncio
import os

from tests.harness.apiserver.server import running


async def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    os.makedirs(arguments.directory, exist_ok=True)
    async with running(port=arguments.port) as server:
        print(f"export KUBECONFIG={server.kubeconfig(arguments.directory)}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
