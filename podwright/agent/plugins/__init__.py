"""Plug-ins of the node, which register by a socket in a folder, and the handler for each.

`watcher` finds the `sockets`, `registration` follows one of them, `protocol` is the interface of handlers.
`connection` calls a plug-in, and `timing` measures calls. `serving` has sockets on which the agent serves plug-ins and
monitors, with a `call_limit`.
"""
