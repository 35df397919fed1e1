"""The Pods API of the alpha feature gate `PodsAPI`: the pods of this node for its monitors, without an API server.

`feed` tells watchers what has changed, `server` is the gRPC service. Import them only with the gate: the messages of a
Pod take memory and time.
"""
