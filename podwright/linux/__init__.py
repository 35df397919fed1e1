"""Linux features that Python's standard library lacks: mounts, namespaces, openat2, cgroups, capabilities.

Standard library only, and no policy, so both halves may use it. Calls block and release the GIL: run them in a thread
if they may take longer than a fraction of a millisecond.
"""
