"""In-place resize: what pods were allocated and have, kept over restarts, and which resizes this node takes."""
