"""The topology manager: keeps devices, CPUs and memory of a container on the same NUMA nodes.

The other managers give `hints`: the sets of nodes that can serve a container. `merging` finds the best common set
(`masks`), `policies` decides whether it is good enough, and `manager`, made by `setup`, lets each allot there.
`machine` reads the CPUs and nodes of this machine.
"""
