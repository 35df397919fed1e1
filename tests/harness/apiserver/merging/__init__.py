"""Patches of a document by the four content types."""
