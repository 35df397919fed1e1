"""What this machine shares out to pods: cgroups, devices, CPUs, memory, claims, ranges of user ids."""
