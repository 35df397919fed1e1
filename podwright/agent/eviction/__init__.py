"""Eviction: pods end when the node, or a limit of their own, is short of memory, disk space, inodes or process ids."""
