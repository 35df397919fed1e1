"""Decides whether a new pod can run on this node. Called once for each pod.

`chain` runs the checks in order: `predicates` (the kubelet's general ones, of `fit` and `node_match`), `apparmor`,
`sysctls`, `declared_features`, and `allocation`, which also allots resources. `victims` chooses the pods that end for
a critical one.
"""
