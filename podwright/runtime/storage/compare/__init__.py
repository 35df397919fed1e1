"""A separate program that compares two trees. `storage.comparing` starts it.

`program` is all of it. It uses the standard library only.
"""
