"""The log files of containers, which runtimes write and the agent rotates.

`rotation` rotates them, `rotated` has the names of the rotated parts, and decides which to remove.
"""
