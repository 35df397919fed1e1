"""Where pods come from: a folder of manifests, a URL, the API, or a list in memory.

Each source sends its complete set of pods whenever it changes. `merge` turns sets into changes for the sync loop.
"""
