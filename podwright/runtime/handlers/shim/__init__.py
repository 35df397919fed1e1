"""containerd shims (runtime v2): one for each pod, over ttrpc. All that is known of them is in this room.

`kind` makes the handlers, `handler` creates tasks, `task` is one container, `pods` keeps the shim of each pod and
`launching` starts it as containerd does. `logs` has the output of containers written by a process of its own,
`log_writer`, which outlives the daemon. `events` is what shims report to.
"""
