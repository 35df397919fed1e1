"""Pod sandboxes: namespaces without a process, their files, their network, and their records."""
