"""The handlers of the kubelet's API, a module for each family of paths. `table` has the paths of each server.

State: `pods`, `stats`, `metrics` and `healthz`. Logs: `container_logs` (`log_options`, `log_stream`) and `node_logs`
(`node_files`, `node_query`). Containers: `commands` and `streams` (loaded by `late_streams`), which find pod and
container by `targets`. `debug` is for developers. `request_counts` counts requests, `errors` has the texts of
failures.
"""
