"""Graceful shutdown of the node: ends pods in the order of their priority before the machine goes down.

`manager` delays the shutdown by `logind` (`protocol` is the interface), ends the `groups` of pods one after another,
and keeps the times in `state_file`. `admission` refuses new pods meanwhile.
"""
