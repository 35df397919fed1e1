"""Certificates of pods: requested of the signer that a projected volume names, and renewed in time."""
