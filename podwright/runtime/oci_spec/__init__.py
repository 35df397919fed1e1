"""CRI's configuration to an OCI runtime spec: pure functions from values to JSON-ready dicts.

`builder.build` joins the parts of a container's spec: `capabilities`, `cgroups`, `command`, `idmaps`, `mounts`,
`names`, `resources`, `seccomp`, `signals`, `user`. `sandbox` makes that of a pod's first process. Nothing in this room
touches the host, so its tests are tables.
"""
