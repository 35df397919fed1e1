"""One worker per pod: it brings the pod from what its source says to what the runtime shows, and to its end.

    SYNC --> TERMINATING --> TERMINATED --> finished

A worker never goes back. `pool` decides which state an update (`updates`) means, `worker` runs one pod, whose state is
a `record`, and a `PodSyncer` (`pod_syncer`, the interface is in `syncer`) does the work of each state: `starting`,
`killing`, `resizing` and `hooks`, with `directories` and `restarts`. `queue` says when a pod is due, `static` which of
two static pods of a name. `ending` ends pods for the node's sake. `ports` are needed of other rooms.
"""
