"""Enough of rtnetlink(7) and ctnetlink to plug a pod: pure message building and reading, and one small socket.

A general netlink library costs some 150 ms and 20 MiB at import; the dozen messages needed here are a few lines
each. Used by the built-in bridge only; nothing in here decides anything.
"""
