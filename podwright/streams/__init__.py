"""Exec, attach and port-forward as bytes: SPDY/3.1, WebSocket channels, and what Kubernetes says over them.

Used by the runtime (server side), the agent and the command line (client side); knows none of them, and nothing of
CRI. The codecs (`spdy`, `websocket`, `remote_command`, `port_forward`, `upgrade`) do no input or output: bytes in,
events out, and bytes to send. `client` runs them on sockets.
"""
