"""A program of its own: unpacks one layer into a directory that it is chrooted into, and reports what it found.

Started by `storage.unpacking` as `python -I -S .../unpack/__main__.py`; nothing else imports it but tests. Standard
library plus isal and zstandard, and cheap to start: a pull starts one per layer. Everything is imported before the
chroot, because afterwards there is nothing to import from.
"""
