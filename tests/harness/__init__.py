"""Starts and stops servers for tests: CRI servers on private directories, networks and cgroups."""
