"""One worker per pod: it makes the runtime hold what the pod's source wants, and ends the pod.

    SYNC --> TERMINATING --> TERMINATED --> finished

A worker never goes back to an earlier state. `pool` has all workers and turns an update (`updates`) into a state.
`worker` runs the worker of one pod, whose state is a `record`. For each state it calls the `PodSyncer` (`pod_syncer`,
interface in `syncer`). While a pod runs, `runtime_sync` does what is next: it uses `sandboxes`, `starting`, `killing`,
`resizing`, `hooks`, `directories` and `restarts`. `queue` has the times of next passes, and `static` the order of
static pods with one name. `ending` ends pods for eviction, preemption and shutdown. `ports` lists what workers need of
other rooms.
"""
