"""Startup, liveness and readiness probes: a worker each, and what they have found out."""
