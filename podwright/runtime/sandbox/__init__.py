"""Pod sandboxes: namespaces without a process, their files, their network, and their records.

`service` answers requests, after `validate`. `requests` has what is the same for all engines: one sandbox per name,
and look-ups. `environment` is what the steps of this engine share.

RunPodSandbox: `building` has the steps and their undoing: `host_parts` (namespaces, `files`, `sysctls`, at `paths`),
`userns`, `first_process`, and `parents` with the `base_cgroup`. Afterwards: `rebuilding` makes a sandbox READY again,
`port_forward` connects to a port, `document` is for a verbose status, and `recovery` runs at the daemon's start.
"""
