"""The gRPC edge: one file per RPC family, and `convert_*` between protobuf and the model.

Nothing is decided here. `server` finds each RPC's method by its name; an RPC without one answers UNIMPLEMENTED.
"""
