"""The Container Network Interface as its spec (0.3 to 1.1) and the field's runtimes have it.

Pure: `config` (files), `calls` (environment and stdin of a plugin), `capabilities`, `results`.
Effects: `catalog` (the directory), `plugin` (one execution), `chain` (a list of plugins), `cache`, `network`.
"""
