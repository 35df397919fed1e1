"""Programs for developers and tests: a registry, sample images, the leak check, the demo.

Nothing in the product imports this folder; it may start processes with `subprocess`, which the product may not.
"""
