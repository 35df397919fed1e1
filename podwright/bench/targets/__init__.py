"""What can be measured, one module per kind. All do the same work and name its steps by CRI's calls."""
