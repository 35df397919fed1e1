"""OCI runtimes (crun, runc) under conmon. All that is known of these programs is in this room.

`kind` makes the handlers, `probing` finds out what their programs can do, `handler` creates tasks, and `task` is one
container. `runtime` calls the OCI runtime's program. `abandoned` ends calls that outlived their daemon.

`monitor` starts conmon (`conmon`, through `launcher` or `launching`), which holds the container's stdio, writes its
log and exit code, and outlives the daemon. `monitor_link` connects to it, `exit_directories` and `exits` have the
codes, `ending` judges the end. `record`, `logs`, `limits`, `filters` and `first_process` are parts of a container.

`execs`: `exec_sync`, `exec_stream`, `exec_stdio`, `terminal`, `marks`. gVisor: `guest`, `waiter`.
"""
