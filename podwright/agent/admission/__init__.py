"""Whether a pod that a source wants can run on this node. Asked once, when the pod is new.

`chain` runs the checks in order: `predicates` (the kubelet's general ones, of `fit` and `node_match`), `apparmor`,
`sysctls`, `declared_features`, and `allocation`, which also allots resources. `victims` chooses the pods that end for
a critical one.
"""
