"""Whether a pod that a source wants can run on this node. Asked once, when the pod is new."""
