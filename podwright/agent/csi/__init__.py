"""CSI drivers on this node: the registered drivers, calls to them, and the CSINode that shows them to the cluster.

`drivers` has the registered drivers, `calls` their node services (`values` are arguments and answers). `node_info`
writes the Node and the CSINode, whose content `node_object` decides, and `refreshing` updates drivers' limits.
"""
