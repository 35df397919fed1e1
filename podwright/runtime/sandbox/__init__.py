"""Pod sandboxes: namespaces without a process, their files, their network, and the records of them."""
