"""The memory manager: memory and huge pages of guaranteed pods come from NUMA nodes that have enough left.

`state` says what each node has and who was promised what, `static` decides for a pod, `manager` keeps it over
restarts.
"""
