"""Startup, liveness and readiness probes, and their results.

`manager` has a `worker` for each probe, which runs the probe according to its `schedule`. `prober` makes one run of up
to three attempts (`attempt`), each by `probers`, with `http_client`, `grpc_health` or plain `connections`. `findings`
keeps the results, `outcomes` are their changes.
"""
