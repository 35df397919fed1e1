"""The CPU manager: CPUs of their own for containers of guaranteed pods that request whole ones.

`layout`, `taking` and `spreading` choose CPUs, `assignments` says who has which, `static` decides for a pod, `manager`
keeps the assignments over restarts, and `reconciling` has the runtime keep everyone else away from them.
"""
