"""What to do next for a pod, from its spec and what the runtime and the probes show. Pure."""
