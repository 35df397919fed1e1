"""Removing what is not needed any more: dead containers with their sandboxes and logs, and unused images.

`containers` and `images` do it. `dead` and `unused_images` decide what may go, `log_files` are files without an owner.
"""
