"""The Docker Engine's HTTP API on its unix socket: calls, hijacked streams, events. It knows nothing of CRI."""
