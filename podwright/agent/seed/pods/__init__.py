"""Pods over time: what is observed, what has to be done, when to try again, and what it amounts to. Pure."""
