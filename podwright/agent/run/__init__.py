"""`podwright run`: from files to pods on this machine, and what a person sees of them.

`run` is the whole run, with its `options`, and `session` the part with pods. In their order:

files     `documents` reads them, `places` are lines in them, `watch` waits for changes
checks    `kinds`, `rules` (one object), `checks`, `references`, `host_ports` (all of them), `losses` (not honoured)
plan      `expand` makes the `plan`: `workloads` of `replicas` and `jobs`, with `pods`, `naming`, `claims`, `services`
agent     `assembling` makes the `run_agent` with its `settings`, on the `daemon` that answers or is started
course    `control` decides which pods are wanted now, by their `statuses`, until a `stop` is requested
shown     `narrator` finds `changes`, `tails` follow logs, `pulls` show progress, `excerpt` shortens, `reporter` prints
end       `outcome` says what failed, `runs` keeps records, `kube_down`, `down` and `release` end what a run has left

`unit` and `notify` are for systemd.
"""
