"""What the agent shares out on this machine: cgroups of pods, ranges of user ids."""
