"""Engines: what does the work behind the gRPC edge. `protocol` is all that the edge knows of one; `native` is ours."""
