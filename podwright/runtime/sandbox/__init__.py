"""Pod sandboxes: namespaces without a process, their files, their network, and their records.

`service` is what callers use: look-up in `records`, and after `validate`, one sandbox for each name (`naming`).
`building` has the steps and their undoing: `host_parts` (namespaces, `files`, `sysctls`, at `paths`), `userns`,
`first_process`, and `parents` with the `base_cgroup`. `rebuilding` makes a sandbox READY again, `recovery` runs at the
daemon's start, `port_forward` connects to a port. `document` and `runtime_spec` are for a verbose status.
"""
