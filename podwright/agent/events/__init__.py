"""Kubernetes Events: what the agent reports about a pod or the node, for people.

Every room records events with a `recorder`. `log` keeps them on this machine, `writer` sends them to the API server,
after `correlation` has counted and limited them.
"""
