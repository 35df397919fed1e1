"""The paths of the kubelet's API, a file for each family. `table` says which server has which.

`pods`, `stats`, `metrics` and `healthz` show, `container_logs` (`log_options`, `log_stream`) and `node_logs`
(`node_files`, `node_query`) read, `commands` and `streams` (loaded by `late_streams`) act on `targets`, `debug` is for
developers.
`request_counts` counts them all, `errors` has the texts of failures.
"""
