"""What administrators do with a node's images beyond CRI. `service` joins them for the gRPC edge.

`loading`, `saving`, `pushing`, `verifying`, and `accounts` of disk usage with pruning. `refetch` gets blobs again that
were dropped or damaged.
"""

from podwright.runtime.image.tools.service import ImageTools

__all__ = ["ImageTools"]
