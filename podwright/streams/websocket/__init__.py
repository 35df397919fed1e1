"""WebSocket as Kubernetes uses it, without input or output: frames by the websockets library, channels by us.

Exec, attach and port-forward either multiplex channels in messages (`channels`), or carry a whole SPDY connection
as a byte stream in binary messages (the tunnel, `handshake.TUNNEL`).
"""
