"""A program of its own: takes an archive from standard input apart into files, and reports what they are.

Started by `archive.members` as `python -I -S .../intake/__main__.py`; nothing else imports it but tests. It is
chrooted into the folder that it writes to, and the names that it gives files there are its own, never the archive's.
"""
