"""Generated from the proto in this folder."""
