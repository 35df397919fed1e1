"""What can be measured, one module per kind; they do the same work and name its steps by CRI's calls."""
