"""The server behind the URLs of Exec, Attach and PortForward: connects clients (SPDY, WebSocket) with containers.

The rest of the runtime calls `service`. `server` listens. `remote_command` and `port_forward` are the sessions.
`podwright.streams` has the protocols themselves.
"""
