"""The cluster that the agent's node belongs to: `ApiCluster` with an API server, `Standalone` without one."""
