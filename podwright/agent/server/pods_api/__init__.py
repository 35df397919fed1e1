"""The Pods API of the alpha feature gate `PodsAPI`: the pods of this node for its monitors, without an API server.

`feed` sends changes to watchers, `server` is the gRPC service. Import them only if the gate is on: the messages of a
Pod take memory and time.
"""
