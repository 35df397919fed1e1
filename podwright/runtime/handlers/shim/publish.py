"""The program that shims of containerd before 1.3 report events with, as containerd's own `publish` command.

    PUBLISH --address GRPC publish --topic TOPIC --namespace NAMESPACE     an Any on its stdin

Later ones have TTRPC_ADDRESS and never run it, but every shim is given one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from google.protobuf.any_pb2 import Any as AnyMessage

from podwright.linux.files import replace_file
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.events import METHOD, SERVICE
from podwright.ttrpc import connect

LIMIT_BYTES = 4 << 20
TIMEOUT_S = 10.0
SCRIPT = """#!{python} -P
import sys
sys.path.insert(0, {library!r})
from podwright.runtime.handlers.shim.publish import main
sys.exit(main(sys.argv[1:]))
"""


def install(path: str) -> None:
    """Write the program. Raises OSError."""
    library = os.path.dirname(os.path.abspath(__file__)).removesuffix("/podwright/runtime/handlers/shim")
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    replace_file(path, SCRIPT.format(python=sys.executable, library=library).encode(), mode=0o755)


def main(arguments: list[str]) -> int:
    """Forward one event to the daemon. The exit code."""
    parser = argparse.ArgumentParser(prog="publish")
    parser.add_argument("--address", default="")
    parser.add_argument("action", choices=["publish"])
    parser.add_argument("--topic", required=True)
    parser.add_argument("--namespace", default="")
    given = parser.parse_args(arguments)
    event = AnyMessage.FromString(sys.stdin.buffer.read(LIMIT_BYTES))
    envelope = pb.Envelope(namespace=given.namespace, topic=given.topic, event=event)
    envelope.timestamp.GetCurrentTime()
    asyncio.run(_forward(os.environ["TTRPC_ADDRESS"], pb.ForwardRequest(envelope=envelope)))
    return 0


async def _forward(address: str, request: pb.ForwardRequest) -> None:
    client = await connect(address, timeout_s=TIMEOUT_S)
    try:
        await client.call(SERVICE, METHOD, request.SerializeToString(), timeout_s=TIMEOUT_S)
    finally:
        client.close()
