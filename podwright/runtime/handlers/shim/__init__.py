"""containerd shims (runtime v2): one for each pod, over ttrpc. All that is known of them is in this room.

`kind` makes the handlers, `handler` creates tasks, `task` is one container, and `member` its part of the pod's shim.
`pods` keeps the shim of each pod, with its `sandbox`, and `launching` starts it (`bootstrap`, `runtimes`, `options`).
`calls` has its calls, by messages of `api`. `events` is what shims report to, some by the program `publish`.

A container: `stdio`, `attaching`, `execs`, `limiting`, `usage`, `record`, `watching` for its end, `ending` and
`killing`. `logs` starts `log_writer`, a process that writes the output of all containers and outlives the daemon.
"""
