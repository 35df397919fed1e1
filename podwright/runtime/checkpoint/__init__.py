"""Checkpoints of containers and pods through CRIU and the OCI runtime, and pods made from them.

`service` writes checkpoints: after the checks of `criu` and `request`, `capture` does the steps for one container.
`restoring` makes pods from them, and `reading` reads what is untrusted. `archive` and `documents` are the format.
"""
