"""The status of pods as the API shows it: built from what the runtime holds, kept, and written to the API server.

`manager` holds the statuses. `builder` makes a status of `inputs`: the `containers` from their `instances`, with
`readiness`, `resources` and `mounts`, then the `phase`, `conditions` and `addresses`. `transitions` makes sure that
it may follow the status before, `endings` makes the last one, and `publishing` holds back an end that is not
complete. `writer` writes to the API server, in the order that `write_order` says. `failures` and
`termination_messages` keep reasons for containers, `lives` counts starts and ends.
"""
