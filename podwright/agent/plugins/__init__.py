"""Plug-ins of the node that register by a socket in a folder: who they are, and who is told of them."""
