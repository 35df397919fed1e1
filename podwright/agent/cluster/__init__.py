"""The cluster that the agent's node belongs to.

`protocol` is the interface `Cluster`, with which the agent is assembled. `api_cluster` implements it with an API
server, `standalone` without.
"""
