"""What tests start and stop: CRI servers on private directories, networks and cgroups."""
