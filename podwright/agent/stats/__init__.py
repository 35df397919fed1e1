"""What the node and its pods use: for the summary, for Prometheus, and for eviction.

`protocol` is all that others see.
"""
