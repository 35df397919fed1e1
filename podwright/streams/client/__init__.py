"""The client side on sockets: exec, attach and port-forward by the URL from a CRI server.

Used by the command line and the agent. `command.run_command` runs an exec or attach session, and
`port_forward.forwarding` holds a session that carries any number of forwarded connections. `dial` connects, `opening`
opens the streams of a `link`, which is a `spdy_link` or a `websocket_link`.
"""
