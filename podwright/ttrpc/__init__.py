"""ttrpc, containerd's light RPC protocol for processes of one host: shims and NRI plug-ins speak it.

`frames` and `sessions` do no I/O: bytes go in, events come out, for the client's side and for the server's. `client`
and `server` move the bytes with asyncio, over a unix socket or over whatever else their caller has, such as NRI's mux.

The protocol: github.com/containerd/ttrpc, PROTOCOL.md (version 1.2). No Python package of it is kept.
"""

from podwright.ttrpc.client import TtrpcClient, connect
from podwright.ttrpc.server import Method, Methods, Server

__all__ = ["Method", "Methods", "Server", "TtrpcClient", "connect"]
