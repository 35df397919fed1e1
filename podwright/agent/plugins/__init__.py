"""Plug-ins of the node that register by a socket in a folder: who they are, and which handler each is for."""
