"""Eviction: pods end when the node, or a limit of their own, is short of memory, disk space, inodes or process ids.

`manager` runs the rounds, `setup` makes it. `signals` are what is measured, `layout` on which filesystem, `usage` by
which pod. `pressure` decides what the node is short of, `ranking` in which order pods go, `local_storage` which exceed
their own limits, `messages` what people read. `notifier` is the kernel's alarm, `admission` refuses pods meanwhile.
"""
