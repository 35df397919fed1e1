"""One worker per pod: it brings the pod from what its source says to what the runtime shows, and to its end.

    SYNC --> TERMINATING --> TERMINATED --> finished

A worker never goes back. `pool` decides which state an update means, `worker` runs one pod, and a `PodSyncer` does
the work of each state.
"""
