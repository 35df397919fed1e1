"""The engine: sources, PLEG, loop, workers and housekeeping, tied together around the parts that they work with."""
