"""The gRPC edge: one file per RPC family, and `convert_*` between protobuf and the model.

The edge decides nothing. `table` names the method of each RPC.
"""
