"""Graceful shutdown of the node: pods end in the order of their priority before the machine goes down."""
