"""Eviction: ends pods that exceed their limits, and pods of a node short of memory, disk space, inodes or process ids.

`manager` runs the rounds, and `setup` makes it from the configuration. A round reads `signals` of the filesystems
(`layout`). `pressure` decides what the node is short of, `ranking` (by `usage`) in which order pods are ended,
`local_storage` which pods exceed their own limits. `messages` has the texts of events. `notifier` is the kernel's
alarm for memory, and `admission` refuses new pods while the node is under pressure.
"""
