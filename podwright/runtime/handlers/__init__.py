"""What runs containers.

`protocol` says what the rest of the runtime needs of a handler, `registry` finds the configured ones. Each kind of
handler has a package: `oci` for OCI runtimes under conmon, `shim` for containerd's shims, `fake` in memory, for tests.
`plugin` finds those of other Python packages. `processes` is what handlers of processes on this host share, and
`suite` is what every handler must pass.
"""
