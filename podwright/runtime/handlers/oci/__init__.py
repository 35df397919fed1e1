"""OCI runtimes (crun, runc) under conmon. All that is known of these programs is in this room.

`kind` makes the handlers, `handler` creates tasks, `task` is one container, `runtime` calls the OCI runtime's program
and `monitor` starts conmon, which holds the container's stdio, writes its log and exit code, and outlives the daemon.
"""
