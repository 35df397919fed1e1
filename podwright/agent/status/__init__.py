"""The status of pods as the API shows it: built from what the runtime holds, kept, and sent where it is wanted.

`manager` holds the statuses. `builder` makes one of `inputs`: `containers` by their `instances`, with `readiness`,
`resources` and `mounts`, then the `phase`, `conditions` and `addresses`. `transitions` makes it follow the one before,
`endings` is the last one, and `publishing` what others are shown. `writer` sends it to the API server. `failures` and
`termination_messages` say why, `lives` counts.
"""
