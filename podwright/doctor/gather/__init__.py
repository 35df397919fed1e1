"""Inspects the machine: effects, one module for each subject, joined by `everything`."""
