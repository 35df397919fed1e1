"""A separate program that compares two trees. Uses the standard library only. Started by `storage.comparing`."""
