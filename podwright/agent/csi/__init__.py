"""CSI drivers on this node: which have registered, what is asked of them, what the cluster is told of them."""
