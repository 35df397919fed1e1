"""Version 1 of the API: generated stubs, and nothing else."""
