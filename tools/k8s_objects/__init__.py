"""Generates `podwright/k8s/objects` from the published API models (the dev-only package `kubernetes`)."""
