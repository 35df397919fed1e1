"""Graceful shutdown of the node: pods end in the order of their priority before the machine goes down.

`manager` delays the shutdown by `logind` (`protocol` is the interface), ends the `groups` of pods one after the other,
and keeps the times in `state_file`. `admission` refuses pods meanwhile.
"""
