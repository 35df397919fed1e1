"""CSI drivers on this node: which have registered, calls to them, and the CSINode that shows them to the cluster."""
