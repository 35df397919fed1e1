"""Engines do the work behind the gRPC edge. The edge knows them by `protocol`, and `native` implements it."""
