"""What any CRI server must do, tested as a client: through its socket and nothing else.

    `cases`      the cases, as pytest modules, which need a server (`cri_server`) and an image with busybox (`image`)
    `peer`       the server under test, for the cases
    `pods`, `images`, `streams`, `messages`, `cgroups`, `patience`
                 what cases use: pods, images, sessions, parts of requests, a container's cgroup files, deadlines
    `plugin`     the two fixtures for `podwright conformance`: the server is one that already runs
    `quiet_gc`   prevents that a failure on CPython 3.11 ends the run
    `run`        the implementation of that command

This repository's own tests run the same cases on servers that they start themselves. Nothing here imports the runtime
or the agent. pytest comes with the extra `podwright[conformance]`.
"""
