"""Faults: what the daemon does when it is killed, when the host fails it, and when clients lie to it."""
