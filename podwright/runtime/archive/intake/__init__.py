"""A separate program that splits an archive from standard input into files and reports what they are.

`archive.members` starts it as `python -I -S .../intake/__main__.py`, and `program` is its flow. Only tests import it.
It is chrooted into its output folder, and chooses the file names there itself, never from the archive.
"""
