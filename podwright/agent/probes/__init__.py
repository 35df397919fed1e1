"""Startup, liveness and readiness probes: a worker each, and what they have found out.

`manager` has a `worker` for each probe, which runs it by its `schedule`. `prober` is one run of up to three attempts
(`attempt`), made by `probers`: with `http_client`, `grpc_health`, or plain `connections`. `findings` and `outcomes`
are the results.
"""
