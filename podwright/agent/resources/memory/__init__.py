"""The memory manager: allots memory and huge pages of NUMA nodes to guaranteed pods.

`static` decides for a pod, `state` has each node's memory and all allotments. `manager`, made by `setup`, keeps the
state over restarts (`checkpoint`).
"""
