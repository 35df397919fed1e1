"""The topology manager: devices, CPUs and memory of a container on the same NUMA nodes.

Managers of resources say by `hints` which sets of nodes can serve a container. `merging` finds the set that suits all
of them, `policies` decides whether it is good enough, and `manager` has each of them allocate there.
"""
