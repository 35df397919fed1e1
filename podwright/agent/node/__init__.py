"""The node: what this machine is and has, and what the API is told of it."""
