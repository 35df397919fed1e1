"""Inspects the machine: effects, one module per subject, joined by `everything`."""
