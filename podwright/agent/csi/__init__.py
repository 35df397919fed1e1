"""CSI drivers on this node: which have registered, calls to them, and the CSINode that shows them to the cluster.

`drivers` has the registered ones, `calls` their node services (`values` are arguments and answers). `node_info` writes
the Node and the CSINode, whose contents `node_object` decides, and `refreshing` asks for a driver's limits again.
"""
