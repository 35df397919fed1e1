"""A program of its own: tells how two trees differ. Standard library only; started by `storage.comparing`."""
