"""A separate program that unpacks one layer into a directory, to which it chroots, and reports the result.

`program` is its flow: `source` reads the blob while it is downloaded, `decode` decompresses it, `archive` finds
entries (`header`, `pax`, `names`), and `tree` writes them. `failure` has the kinds of failures.

`storage.unpacking` starts it as `python -I -S .../unpack/__main__.py`. Only tests import it. It uses the standard
library, isal and zstandard, and starts fast, because a pull starts one per layer. Everything is imported before the
chroot, because nothing can be imported afterwards.
"""
