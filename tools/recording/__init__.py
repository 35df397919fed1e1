"""`make record`: a terminal session on real components, recorded as an animated SVG for the README.

    python -m tools.recording [--out FILE]

`stage` gives the session a machine of its own (namespaces, empty directories, a registry on loopback). `session` is
what is typed. `terminal` runs it and keeps what a person would see, and `svg` draws that. Nothing is written when a
command fails.
"""
