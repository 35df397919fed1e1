"""Generated from the protos in this folder."""
