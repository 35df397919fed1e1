"""The CPU manager: allots exclusive CPUs to containers of guaranteed pods that request whole CPUs.

`static` decides for a pod (`options`), and `layout`, `taking` and `spreading` choose the CPUs. `assignments` has the
result. `manager`, made by `setup`, keeps it over restarts (`checkpoint`), and `reconciling` moves other containers
away.
"""
