"""What Python's standard library lacks of Linux: mounts, namespaces, openat2, cgroups, capabilities.

Stdlib only and without policy; both halves may use it. Calls block and release the GIL: run them in a thread
when they can take longer than a fraction of a millisecond.
"""
