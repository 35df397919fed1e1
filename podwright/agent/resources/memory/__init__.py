"""The memory manager: memory and huge pages of guaranteed pods come from NUMA nodes that have enough left.

`state` says what each node has and what is allotted, `static` decides for a pod, `manager` keeps the state over
restarts.
"""
