"""Plug-ins of the node that register by a socket in a folder: who they are, and which handler each is for.

`watcher` finds the `sockets`, `registration` follows one of them, `protocol` is the interface of handlers.
`connection` calls a plug-in, `serving` listens for plug-ins and monitors.
"""
