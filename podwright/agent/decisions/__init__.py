"""Decides what to do next for a pod, from its spec and what the runtime and the probes show. Pure.

`actions` is the main decision. `restarts` says whether a container runs again, `resizing` what a resize changes,
`termination` in which order and with which grace containers end.
"""
