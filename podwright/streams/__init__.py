"""Exec, attach and port-forward as bytes: SPDY/3.1, WebSocket channels, and Kubernetes' protocols on them.

Used by the runtime (server side), the agent and the command line (client side). It imports none of them, and no CRI.
The codecs (`spdy`, `websocket`, `remote_command`, `port_forward`, `upgrade`, `negotiation`) do no I/O: bytes in,
events and bytes out. `wire`, `tls_wire` and `tunnel_wire` are byte streams, `spdy_connection` runs a session on one,
`outlet` writes without waiting, and `errors` has their failure. `client` is the client side.
"""
