"""What the node and its pods use: for the summary, for Prometheus, and for eviction.

Other rooms use only `protocol`.
"""
