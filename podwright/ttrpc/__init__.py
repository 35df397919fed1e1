"""ttrpc, containerd's light RPC protocol for processes of one host: shims and NRI plug-ins speak it.

`frames` and `sessions` do no I/O: bytes go in, events come out, for the client's side and for the server's. `client`
and `server` move the bytes with asyncio, over a unix socket or over another connection, such as NRI's mux. `status`
converts codes to our errors.

The protocol: github.com/containerd/ttrpc, PROTOCOL.md (version 1.2). No maintained Python package has it.
"""

from podwright.ttrpc.client import TtrpcClient, connect
from podwright.ttrpc.server import Method, Methods, Server

__all__ = ["Method", "Methods", "Server", "TtrpcClient", "connect"]
