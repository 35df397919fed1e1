"""Removes what nobody needs any more: dead containers with their sandboxes and logs, and unused images.

`containers` and `images` do that. `dead` and `unused_images` decide what to remove, `log_files` finds logs without an
owner.
"""
