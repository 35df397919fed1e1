"""The sources of pods: a folder of manifests, a URL, the API, or a list in memory.

Each source (`file`, `http`, `api`, `memory`) sends its complete set of pods whenever it changes. `merge` turns sets
into `changes` for the sync loop. `manifest` reads the text of static pods, `static` gives them their identity, and
`api_references` finds references that a static pod must not have.
"""
