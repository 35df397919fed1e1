"""The Container Network Interface, by its spec (0.3 to 1.1) and by the practice of other runtimes.

Pure: `config` (files), `calls` (environment and stdin of a plugin), `capabilities`, `results`. Effects: `catalog` (the
directory), `plugin` (one execution), `chain` (a list of plugins), `cache`, `memory` (former addresses), `network`.
"""
