"""The Docker Engine's HTTP API on its unix socket. It knows nothing of CRI.

`client` makes calls, `hijack` opens connections to a process's stdio, whose outputs come in `frames`. `failures`,
`shapes` and `versions` are pure.
"""
