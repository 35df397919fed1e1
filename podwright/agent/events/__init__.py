"""Kubernetes Events: what the agent has to say about a pod or the node, for people."""
