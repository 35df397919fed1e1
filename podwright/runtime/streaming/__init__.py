"""The server behind the URLs of Exec, Attach and PortForward: SPDY and WebSocket on one side, containers on the other.

`service` is what the rest of the runtime calls; `server` listens; `remote_command` and `port_forward` are the
sessions. The protocols themselves are `podwright.streams`.
"""
