"""WebSocket as Kubernetes uses it, without I/O: frames by the websockets library, channels by us.

After the `handshake` there is a `connection`. Exec, attach and port-forward either multiplex `channels` in messages,
or carry a complete SPDY connection as a byte stream in binary messages (the tunnel, `handshake.TUNNEL`).
"""
