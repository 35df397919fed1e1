"""The server behind the URLs of Exec, Attach and PortForward: connects clients (SPDY, WebSocket) with containers.

The rest of the runtime calls `service`, which makes URLs by `tokens`. `server` listens at an `address`, with `tls` and
a `certificate`, and has each `connection`. `plan` decides its protocol, `sessions` (loaded by `late_sessions`) runs
it: `remote_command` over `remote` or `websocket_remote`, or `port_forward` and `channel_forward`. `channels`,
`forward` and `inbox` are their parts. `podwright.streams` has the protocols themselves.
"""
